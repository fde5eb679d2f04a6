"""What an upstream may say, as the conformance kit tries it: ids, addresses, names, and what must never be told."""

from collections.abc import Mapping
from typing import Any, Final

from providers.base import ProviderBroken, ProviderDenied
from tests.support.upstream import CLIENT_SECRET

Refused = (ProviderDenied, ProviderBroken)
MISSING: Final = object()
"""Stands for a claim that is not there at all."""
LONG: Final = "x" * 500
SUBJECTS: Final[Mapping[str, Any]] = {
    "missing": MISSING,
    "null": None,
    "empty": "",
    "a number": 12345,
    "a fraction": 1.5,
    "true": True,
    "a list": ["a"],
    "500 characters": LONG,
    "with a colon": "a:b",
    "with a newline": "a\nb",
    "unpaired": "\ud800",
    "text": "Abc-1",
}
VERIFIED: Final[Mapping[str, tuple[Any, bool]]] = {
    "true": (True, True),
    "false": (False, False),
    'text "true"': ("true", True),
    'text "false"': ("false", False),
    "null": (None, False),
    "missing": (MISSING, False),
    "one": (1, False),
    "a list": ([True], False),
}
PARAMETERS: Final = (
    *("code", "state", "error", "iss", "error_description", "id_token"),
    *("oauth_token", "oauth_verifier", "oauth_problem", "denied"),
)
HOSTILE_NAME: Final = "Ada \u202e\u0000<script>\x1b[31m\r\nSet-Cookie: a=b"
CANARIES: Final = ("canary-", CLIENT_SECRET)

NO: Final = (
    *("access_denied", "ACCESS_DENIED", "user_denied", "user_cancelled_login", "user_cancelled_authorize"),
    *("user_cancelled", "user_canceled", "authorization_declined", "consent_required", "login_required"),
    *("interaction_required", "account_selection_required", "unmet_authentication_requirements"),
)
"""Words of providers that mean the person said no, or must be asked something first."""
NOISE: Final[Mapping[str, str]] = {
    "error_description": "",
    "error_uri": "",
    "scope": "a b",
    "session_state": "x.y",
    "authuser": "0",
    "prompt": "none",
    "hd": "corp.example",
    "id_token": "x",
    "token_type": "mac",
    "expires_in": "soon",
}
"""What comes beside the parameters of a callback that are read."""
ABSENT: Final = (None, "", False, [], {}, 0)
SHAPES: Final[Mapping[str, Any]] = {
    "null": None,
    "empty": "",
    "text": "3600",
    "a number": 7,
    "a fraction": -1.5,
    "true": True,
    "a list": [None, {"a": [1]}],
    "an object": {"message": "no", "type": "x", "code": [1]},
    "long": "x" * 20_000,
    "unpaired": "\ud800",
}
