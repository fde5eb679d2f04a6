"""The plans of the OpenID Foundation's conformance suite that we hold ourselves to, module by module.

Their lists are those of the suite's `OIDCCClient…TestPlan.java`, in their order; what each does, its class says.
docs/certification.md says the same, and `tests/docs/test_certification.py` compares.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Ends(Enum):
    """What must come of a module; the value is what docs/certification.md says."""

    LOGGED_IN = "logged in; userinfo was asked for, with the token in the header"
    READ = "the document was read, and names where a login begins"
    KEYS_READ = "logged in; the keys were read there, and nothing was asked for after them"
    REFUSED = "no login, and userinfo was not asked for"
    REFUSED_AT_USERINFO = "no login"
    NOT_BEGUN = "no login begins"
    LOGGED_OUT = "logged out here and there"
    TOLD = "the logout token is answered 200, and its session is over"
    NOT_TOLD = "the logout token is answered 400, and ends nothing"
    FRAMED = "the frame is answered 200, without a cookie, and its session is over"


@dataclass(frozen=True, slots=True)
class Module:
    """One module: what the suite does, as a provider, and what must come of it."""

    name: str
    does: str
    ends: Ends


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan: its name in the suite, the profile it certifies, and its modules."""

    name: str
    profile: str
    modules: tuple[Module, ...]


_GOOD: Final = "answers as it should"
_BASIC: Final = (
    Module("oidcc-client-test", _GOOD, Ends.LOGGED_IN),
    Module("oidcc-client-test-invalid-iss", "names another issuer in the ID token", Ends.REFUSED),
    Module("oidcc-client-test-missing-sub", "leaves `sub` out of the ID token", Ends.REFUSED),
    Module("oidcc-client-test-invalid-aud", "makes the ID token for another client", Ends.REFUSED),
    Module("oidcc-client-test-missing-iat", "leaves `iat` out of the ID token", Ends.REFUSED),
    Module(
        "oidcc-client-test-kid-absent-single-jwks", "publishes one key, and names none in the ID token", Ends.LOGGED_IN
    ),
    Module(
        "oidcc-client-test-kid-absent-multiple-jwks",
        "publishes several keys without names, and names none in the ID token; either end is allowed",
        Ends.LOGGED_IN,
    ),
    Module("oidcc-client-test-idtoken-sig-rs256", "signs with RS256", Ends.LOGGED_IN),
    Module(
        "oidcc-client-test-idtoken-sig-none",
        "does not sign the ID token; optional: the suite counts a refusal as skipped",
        Ends.REFUSED,
    ),
    Module("oidcc-client-test-invalid-sig-rs256", "spoils the signature of the ID token", Ends.REFUSED),
    Module("oidcc-client-test-userinfo-invalid-sub", "names another person in userinfo", Ends.REFUSED_AT_USERINFO),
    Module("oidcc-client-test-nonce-invalid", "puts another nonce into the ID token", Ends.REFUSED),
    Module(
        "oidcc-client-test-scope-userinfo-claims",
        "says what `profile` and `email` ask for in userinfo alone",
        Ends.LOGGED_IN,
    ),
    Module("oidcc-client-test-client-secret-basic", "takes the secret by `client_secret_basic` alone", Ends.LOGGED_IN),
)
_CONFIG: Final = (
    Module("oidcc-client-test-discovery-openid-config", _GOOD, Ends.READ),
    Module("oidcc-client-test-discovery-jwks-uri-keys", "has its keys at an address made for this run", Ends.KEYS_READ),
    Module(
        "oidcc-client-test-discovery-issuer-mismatch", "names another issuer in the discovery document", Ends.NOT_BEGUN
    ),
    Module(
        "oidcc-client-test-idtoken-sig-none",
        "does not sign the ID token; optional: the suite counts a refusal as skipped",
        Ends.REFUSED,
    ),
    Module(
        "oidcc-client-test-signing-key-rotation-just-before-signing",
        "replaces its keys before it signs the ID token",
        Ends.LOGGED_IN,
    ),
    Module(
        "oidcc-client-test-signing-key-rotation", "replaces its keys between two logins; both end alike", Ends.LOGGED_IN
    ),
)
_RP_INITIATED: Final = (
    Module("oidcc-client-test-rp-init-logout", "leads back with our `state`", Ends.LOGGED_OUT),
    Module("oidcc-client-test-rp-init-logout-other-state", "leads back with another `state`", Ends.LOGGED_OUT),
    Module("oidcc-client-test-rp-init-logout-no-state", "leads back without `state`", Ends.LOGGED_OUT),
)
_BACK: Final = "oidcc-client-test-rp-backchannel-rpinitlogout"
_BACK_CHANNEL: Final = (
    Module(_BACK, "sends a logout token as it should, beside a field that means nothing", Ends.TOLD),
    Module(f"{_BACK}-alg-none", "does not sign it", Ends.NOT_TOLD),
    Module(f"{_BACK}-no-event", "leaves the event out", Ends.NOT_TOLD),
    Module(f"{_BACK}-with-nonce", "puts a nonce in", Ends.NOT_TOLD),
    Module(f"{_BACK}-wrong-alg", "signs it with a published key of another algorithm than RS256", Ends.NOT_TOLD),
    Module(f"{_BACK}-wrong-aud", "makes it for another client", Ends.NOT_TOLD),
    Module(f"{_BACK}-wrong-event", "names another event", Ends.NOT_TOLD),
    Module(f"{_BACK}-wrong-iss", "names another issuer", Ends.NOT_TOLD),
)
_FRONT_CHANNEL: Final = (
    Module("oidcc-client-test-rp-frontchannel-rpinitlogout", "loads our address in a frame", Ends.FRAMED),
)

BASIC: Final = Plan("oidcc-client-basic-certification-test-plan", "Basic RP", _BASIC)
FORM_POST: Final = Plan("oidcc-client-formpost-basic-certification-test-plan", "Form Post RP", _BASIC)
CONFIG: Final = Plan("oidcc-client-config-certification-test-plan", "Config RP", _CONFIG)
RP_INITIATED: Final = Plan("oidcc-client-rp-initiated-logout-rp-basic", "RP-Initiated RP", _RP_INITIATED)
BACK_CHANNEL: Final = Plan("oidcc-client-back-channel-logout-rp-basic", "Back-Channel RP", _BACK_CHANNEL)
FRONT_CHANNEL: Final = Plan("oidcc-client-front-channel-logout-rp-basic", "Front-Channel RP", _FRONT_CHANNEL)
LOGINS: Final = (BASIC, FORM_POST, CONFIG)
LOGOUTS: Final = (RP_INITIATED, BACK_CHANNEL, FRONT_CHANNEL)
PLANS: Final = (*LOGINS, *LOGOUTS)
COUNTS: Final = (14, 14, 6, 3, 8, 1)
"""As the suite's own lists have; a module that is lost here is not tried, and nobody sees it."""
