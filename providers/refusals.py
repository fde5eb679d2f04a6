"""The words with which a person, or a provider about this person, says no.

Pure. RFC 6749 §4.1.2.1 has one of them; OpenID Connect Core §3.1.2.6 has four more, and providers
have their own: LinkedIn `user_cancelled_login`, Facebook `error_reason=user_denied`, GitHub
`unverified_user_email`. OAuth 1.0a has none: Twitter sends the request token as `denied`, others
`oauth_problem=user_refused`. A denial leads back to the
ways to log in, not to an error page.
"""

import re
from collections.abc import Mapping
from typing import Final

from providers.untrusted import word

_WORDS: Final = frozenset(
    {
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "login_required",
        "registration_required",
        "unmet_authentication_requirements",
        "unverified_user_email",
    }
)
_NO: Final = re.compile(r"(?:[a-z0-9]+_)*(?:cancel|cancell?ed|denied|deny|declined?|refused|rejected)(?:_[a-z0-9]+)*")
_LONGEST: Final = 64
_MEMBERS: Final = ("error", "error_reason", "oauth_problem")


def is_no(said: object) -> bool:
    """Tell whether an `error` of a provider's means that the person, or the provider, denied the login."""
    if not isinstance(said, str) or len(said) > _LONGEST:
        return False
    plain = said.lower().replace("-", "_")
    return plain in _WORDS or _NO.fullmatch(plain) is not None


def word_of(answer: Mapping[str, str]) -> str:
    """Return the harmless word of what a browser brought back as an error; empty if there is none."""
    said = answer.get("error")
    return word(said) if said else ""


def says_no(answer: Mapping[str, str]) -> bool:
    """Tell whether what a browser brought back from a provider is a denial."""
    return any(is_no(answer.get(member)) for member in _MEMBERS) or bool(answer.get("denied"))
