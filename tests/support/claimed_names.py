"""Header names with which a client says who it is, in the spellings that some program takes for another."""

import re
from typing import Final

SPELLINGS: Final = (
    "X-Identity-User",
    "x-identity-user",
    "X-IDENTITY-USER",
    "X_Identity_User",
    "x_identity_user",
    "X-IDENTITY_USER",
    "X-Identity_User",
    "X_Identity-User",
    "X.Identity.User",
    "X-Identity.User",
    "X_IDENTITY_ID",
    "X-Identity-Id",
    "X_Identity_Session",
    "X-Identity-Session",
    "X-Identity-Token",
    "X_Identity_Token",
    "X-Identity-Email",
    "X_Identity_Email_Verified",
    "X-Identity-Groups",
    *(
        mark.join(spelt(word) for word in name.split("-"))
        for name in (
            *("Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups"),
            *("X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups"),
            *("X-Auth-Request-Preferred-Username", "X-Forwarded-Preferred-Username"),
            *("X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups"),
        )
        for mark in "-_."
        for spelt in (str.title, str.lower, str.upper)
    ),
    "X-Auth_Request-User",
    "X_Auth-Request.User",
    "X.Auth-Request_Email",
    "X-Forwarded_User",
    "X_Forwarded-Groups",
    "X-Forwarded-Preferred_Username",
)
AT_ONCE: Final = 32
"""Spellings of one request, each twice: Apache takes 100 lines."""
CLAIMS: Final = re.compile("X_?IDENTITY|REMOTE_|X_AUTH_|X_FORWARDED_(USER|EMAIL|GROUPS|PREFERRED)")
"""What says who it is, as a program reads the names."""
