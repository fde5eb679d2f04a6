"""Microsoft: the kit, and whose tenant an account is of."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import pytest

from identity.accounts.linking import identity_key
from options.option import BadOptions
from providers.base import ProviderBroken, ProviderDenied
from tests.contracts import oidc_preset
from tests.contracts.provider_cases import VERIFIED
from tests.support.bench import Bench, bench
from tests.support.rerouting import home

HOST: Final = "https://login.microsoftonline.com"
TENANT: Final = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OTHER: Final = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
PERSONAL: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"


def document(tenant: str, issuer: str) -> dict[str, Any]:
    """Return what Microsoft publishes for a tenant, or for several."""
    return {
        "issuer": f"{HOST}/{issuer}/v2.0",
        "authorization_endpoint": f"{HOST}/{tenant}/oauth2/v2.0/authorize",
        "token_endpoint": f"{HOST}/{tenant}/oauth2/v2.0/token",
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "jwks_uri": f"{HOST}/{tenant}/discovery/v2.0/keys",
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
    }


class TestMicrosoft(oidc_preset.OidcPreset):
    """Everybody's accounts: the document whose issuer is a template."""

    KIND = "microsoft"
    PROVES_FRESH_LOGIN = True
    CHOSEN: ClassVar = "common"
    DOCUMENT: ClassVar = document("common", "{tenantid}")
    DISCOVERY_URL = f"{HOST}/common/v2.0/.well-known/openid-configuration"
    VERIFIED_OF: ClassVar = dict.fromkeys(VERIFIED, False)

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options, with the tenant."""
        return {**super().options(on), "tenant": self.CHOSEN}

    def prepare(self, made: Bench) -> None:
        """Let the person be of a tenant."""
        super().prepare(made)
        made.upstream.person.setdefault("oid", "00000000-0000-0000-66f3-3332eca7ea81")
        be_of(made, TENANT)

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Set `oid`."""
        oidc_preset.tell(on, "oid", subject)


class TestOneTenant(TestMicrosoft):
    """The document of one tenant."""

    CHOSEN: ClassVar = TENANT
    DOCUMENT: ClassVar = document(TENANT, TENANT)
    DISCOVERY_URL = f"{HOST}/{TENANT}/v2.0/.well-known/openid-configuration"


def be_of(on: Bench, tenant: str) -> None:
    """Let the person be of a tenant."""
    on.upstream.person |= {"tid": tenant, "iss": f"{HOST}/{tenant}/v2.0"}


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return Microsoft, for everybody's accounts, and all around it."""
    with bench() as made:
        TestMicrosoft().prepare(made)
        yield made


def choose(on: Bench, tenant: str, **more: str) -> None:
    """Configure another tenant."""
    on.build("microsoft", {**TestMicrosoft().options(on), "tenant": tenant, **more})


@pytest.mark.threat(17)
def test_a_person_is_one_of_a_tenant(on: Bench) -> None:
    """Otherwise an administrator elsewhere who knows an id is that person."""
    mine = on.log_in()
    be_of(on, OTHER)
    theirs = on.log_in()

    assert mine.subject == theirs.subject
    assert len({identity_key("work", each.subject, tenant=each.tenant) for each in (mine, theirs)}) == 2


@pytest.mark.parametrize("tenant", [None, "", "common", "{tenantid}", TENANT.upper(), f"{TENANT}/x", 7, [TENANT]])
def test_a_token_without_a_proper_tenant_is_refused(on: Bench, tenant: object) -> None:
    """Otherwise what is put into the template of the issuer is anything at all."""
    on.upstream.person |= {"tid": tenant, "iss": f"{HOST}/{tenant}/v2.0"}

    with pytest.raises(ProviderBroken, match="names no tenant"):
        on.log_in()


@pytest.mark.parametrize(
    "issuer", [f"{HOST}/{OTHER}/v2.0", f"{HOST}/{{tenantid}}/v2.0", f"{HOST}/{TENANT}/v2.0/", None]
)
def test_the_issuer_is_the_template_with_the_tokens_own_tenant(on: Bench, issuer: object) -> None:
    """Otherwise a tenant signs people of another one in."""
    on.upstream.person["iss"] = issuer

    with pytest.raises(ProviderBroken, match="another issuer"):
        on.log_in()


def test_only_listed_tenants_may_log_in(on: Bench) -> None:
    """Otherwise everybody with an account at Microsoft is let in."""
    choose(on, "common", tenants=f"{OTHER} {PERSONAL}")
    with pytest.raises(ProviderDenied, match="tenant"):
        on.log_in()

    be_of(on, OTHER)

    assert on.log_in().tenant == OTHER


def test_personal_accounts_are_of_no_organisation(on: Bench) -> None:
    """Otherwise `organizations` lets in whoever makes an account for it."""
    on.upstream.stand_for(
        document("organizations", "{tenantid}"),
        discovery=f"{HOST}/organizations/v2.0/.well-known/openid-configuration",
    )
    choose(on, "organizations")
    assert on.log_in().tenant == TENANT

    be_of(on, PERSONAL)
    with pytest.raises(ProviderDenied, match="tenant"):
        on.log_in()


def test_consumers_are_the_personal_tenant_alone(on: Bench) -> None:
    """Otherwise `consumers` lets in organisations, or nobody."""
    on.upstream.stand_for(
        document("consumers", PERSONAL), discovery=f"{HOST}/consumers/v2.0/.well-known/openid-configuration"
    )
    choose(on, "consumers")
    with pytest.raises(ProviderBroken, match="another issuer"):
        on.log_in()

    be_of(on, PERSONAL)

    assert on.log_in().tenant == PERSONAL


@pytest.mark.parametrize(
    ("owner", "genuine"),
    [
        (f"{HOST}/{{tenantid}}/v2.0", True),
        (f"{HOST}/{TENANT}/v2.0", True),
        (f"{HOST}/{PERSONAL}/v2.0", False),
        (f"{HOST}/{OTHER}/v2.0", False),
    ],
)
def test_a_key_signs_only_for_its_issuer(on: Bench, owner: str, *, genuine: bool) -> None:
    """Otherwise a key for personal accounts signs for an organisation, as in the break-in of 2023 (Storm-0558)."""
    on.upstream.edits = {
        home(str(TestMicrosoft.DOCUMENT["jwks_uri"])): lambda value: {
            "keys": [{**key, "issuer": owner} for key in value["keys"]]
        }
    }

    if genuine:
        assert on.log_in().subject
    else:
        with pytest.raises(ProviderBroken, match="no key"):
            on.log_in()


def test_an_address_is_never_verified_whatever_the_token_says(on: Bench) -> None:
    """Otherwise any administrator owns any address (nOAuth)."""
    on.upstream.person |= {"email": "ceo@victim.example", "email_verified": True, "xms_edov": True}

    profile = on.log_in()

    assert (profile.email, profile.email_verified) == ("ceo@victim.example", False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"scope": "openid"}, "profile"), ({"scope": "profile"}, "openid"), ({"tenants": "contoso.example"}, "tenants")],
)
def test_what_cannot_work_is_refused_at_the_start(on: Bench, wrong: dict[str, str], said: str) -> None:
    """Otherwise the first login shows it."""
    with pytest.raises(BadOptions, match=said):
        choose(on, "common", **wrong)


def test_a_tenant_is_a_word_or_an_id(on: Bench) -> None:
    """Otherwise a misspelt word is a tenant that nobody has."""
    with pytest.raises(BadOptions, match="tenant"):
        choose(on, "contoso.example")
