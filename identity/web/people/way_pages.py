"""The addresses of the pages that change the ways to log in, and how a login ends that one of them began.

Owns both, and no rule. A flow that was begun for such a page ends there again, whatever became of it: the page
asks for what is still missing.
"""

import base64
import hashlib
from typing import Final

from identity.accounts.cases import LoginPurpose
from identity.errors import Forbidden
from identity.login.flow import Flow
from identity.types import IdentityKey

WAYS: Final = "/account/ways"
ADD: Final = f"{WAYS}/add"
CONFIRM: Final = f"{WAYS}/confirm"
ADOPT: Final = f"{WAYS}/adopt"
REMOVE: Final = f"{WAYS}/remove"
EXISTING: Final = "/welcome/existing"
ALREADY: Final = "/account?done=already-linked"
TAKEN: Final = "way-taken"
"""The page for an identity that belongs to another account."""
_WAY_BYTES: Final = 15


def way_id(key: IdentityKey) -> str:
    """Return what an address calls one of an account's identities: subjects do not belong into addresses."""
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()[:_WAY_BYTES]).decode()


def asks_by_itself(flow: Flow) -> bool:
    """Tell whether a flow was begun by one of these pages, and leads back to it."""
    proves = flow.purpose is LoginPurpose.PROVE and flow.return_to.startswith(f"{WAYS}/")
    return proves or flow.purpose is LoginPurpose.LINK


def again_path(flow: Flow) -> str:
    """Return the page that asks again; empty for a flow that none of them began."""
    if not asks_by_itself(flow):
        return ""
    return ADD if flow.purpose is LoginPurpose.LINK else flow.return_to


def denied_path(flow: Flow) -> str:
    """Return the page that asks again, with a word on the refusal; empty for a flow that none of them began."""
    again = again_path(flow)
    return again and f"{again}{'&' if '?' in again else '?'}reason=provider-denied"


def not_theirs(flow: Flow) -> Forbidden:
    """Return the error for a login that had to lead to an account, or to the one that is logged in."""
    if flow.account is None:
        return Forbidden("account-unknown", public="This login leads to no account here.")
    return Forbidden("other-account", public="You logged in with what belongs to another account.")
