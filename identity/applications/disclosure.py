"""What an application may be told of a person, and under which header names.

Owns the words of `[app:…] tell` and `headers`. Pure. What each looks like on the wire is
`forward_auth.telling`'s; what a login keeps of it, `login.entering`'s.
"""

from enum import Enum
from typing import Final


class Attribute(Enum):
    """One thing an application may be told of a person; in the order in which it is said."""

    USER = "user"
    """The username."""
    ID = "id"
    """The account's id, which never changes."""
    NAME = "name"
    """The display name that the provider of the last login said."""
    EMAIL = "email"
    """The e-mail that it said, with whether it verified it."""
    GROUPS = "groups"


class HeaderNames(Enum):
    """Under which names a proxy's application reads it."""

    IDENTITY = "identity"
    REMOTE = "remote"
    X_AUTH_REQUEST = "x-auth-request"
    X_FORWARDED = "x-forwarded"


TOLD: Final = frozenset({Attribute.USER, Attribute.ID})
"""What an application is told where the configuration says nothing: what no provider said."""
