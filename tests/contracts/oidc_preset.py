"""What the tests of every preset OpenID kind share: the kit, against the document the service publishes.

The upstream stands for the service, with the issuer and the addresses recorded in `DOCUMENT`. So a
preset's hosts, the spelling of its issuer and the way it shows its secret are all tried.
"""

from typing import Any, ClassVar, Final

from tests.contracts.provider import ProviderContract
from tests.contracts.provider_cases import MISSING
from tests.support.bench import Bench
from tests.support.rerouting import home
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

_DISCOVERY: Final = "/.well-known/openid-configuration"


def tell(on: Bench, name: str, value: object) -> None:
    """Make the ID token say something."""
    on.upstream.person.pop(name, None)
    if value is not MISSING:
        on.upstream.person[name] = value


def without_challenge(reason: str) -> dict[str, str]:
    """Return the cases that need PKCE, for a service that refuses it."""
    return dict.fromkeys(
        ("test_the_browser_is_sent_with_a_challenge", "test_a_code_without_its_verifier_is_worthless"), reason
    )


class OidcPreset(ProviderContract):
    """Subclass as `Test…`; import this module, not the class, because tests collect what they import."""

    DOCUMENT: ClassVar[dict[str, Any]]
    """The members of the service's discovery document that are read, as it publishes them."""
    DISCOVERY_URL: ClassVar[str] = ""
    """Where it does, if not below its issuer."""
    SUBJECT_OF: ClassVar = {"text": "Abc-1", "with a colon": "a:b", "with a newline": "a\nb"}
    INAPPLICABLE: ClassVar = {}

    def __init_subclass__(cls) -> None:
        """Take the calls from the document."""
        super().__init_subclass__()
        cls.DISCOVERY_URL = cls.DISCOVERY_URL or f"{cls.DOCUMENT['issuer']}{_DISCOVERY}"
        cls.WARM_CALLS = (home(cls.DOCUMENT["token_endpoint"]),)
        cls.CALLS = (home(cls.DISCOVERY_URL), *cls.WARM_CALLS, home(cls.DOCUMENT["jwks_uri"]))

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options that must be given."""
        del on
        return {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def prepare(self, made: Bench) -> None:
        """Stand for the service, and build the provider."""
        made.upstream.stand_for(self.DOCUMENT, discovery=self.DISCOVERY_URL)
        methods = self.DOCUMENT.get("token_endpoint_auth_methods_supported")
        made.upstream.client_auth = "post" if methods == ["client_secret_post"] else ""
        super().prepare(made)

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Set `sub`."""
        tell(on, "sub", subject)

    def tell_name(self, on: Bench, name: object) -> None:
        """Set `name`."""
        tell(on, "name", name)

    def tell_email(self, on: Bench, email: object, verified: object) -> None:
        """Set `email` and `email_verified`."""
        tell(on, "email", email)
        tell(on, "email_verified", verified)
