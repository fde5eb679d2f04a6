"""Following an invitation: from the link to the login that is begun with it.

Owns what a browser carries between the two, sealed: the invitation's key, never its secret. Plain functions,
thread-safe, no HTTP. Invariant: opening a link writes nothing and uses nothing up, because programs that look through
mail open links too.

    link             page               begin a login              the login's end
    ──────────────   ────────────────   ────────────────────────   ─────────────────────────────────
    looked up;       looked up again    its key goes into the      a sign-up claims it (`accounts`);
    sealed for a     and shown          flow, which is sealed      an account accepts it
    cookie
"""

from identity.accounts.invitation import InvitationRow, key_of
from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import BeingFinished, By
from identity.accounts.service import AccountService
from identity.accounts.store import IdentityState
from identity.login.dependencies import LoginDependencies
from identity.login.flow import Flaw, FollowedLink, followed_flaw
from identity.login.packing import pack_followed, unpack_followed
from identity.login.results import Visit
from identity.login.store import RecordKind
from identity.types import IdentityKey

_TAG = "link"


class Invited:
    """People who follow a link.

    Args:
        accounts: keeps invitations.
        dependencies: seals, and the time.
    """

    def __init__(self, accounts: AccountService, dependencies: LoginDependencies) -> None:
        self._accounts = accounts
        self._dependencies = dependencies

    def follow(self, secret: str) -> str | Refuse:
        """Return what the browser that opened the link must carry, or why it is worth nothing; at most one read.

        Raises StoreUnavailable.
        """
        key = key_of(secret)
        found = self._accounts.invitation(key) if key else Refuse(Refusal.INVITATION_UNKNOWN)
        if isinstance(found, Refuse):
            return found
        followed = FollowedLink(key=found.key, created_at=self._dependencies.clock())
        return self._dependencies.carrying.seal(RecordKind.FOLLOWED, _TAG, pack_followed(followed))

    def key(self, carried: str | None) -> str:
        """Return the key of the link that this browser opened in the last hour; empty if there is none.

        Raises StoreUnavailable `newer-key`.
        """
        found = self._dependencies.opened(RecordKind.FOLLOWED, _TAG, carried or None, unpack_followed)
        if isinstance(found, Flaw) or followed_flaw(found, now=self._dependencies.clock()):
            return ""
        return found.key

    def look(self, key: str) -> InvitationRow | Refuse:
        """Return an invitation that may be followed, or why not; see `AccountService.invitation`."""
        return self._accounts.invitation(key) if key else Refuse(Refusal.INVITATION_UNKNOWN)

    def excused(self, identity: IdentityKey) -> bool:
        """Tell whether rules about people with an account do not concern an identity: one read.

        It leads to none, and will be judged as a newcomer's; or the account was made through it, with an invitation.
        """
        row = self._accounts.find(identity)
        return row is None or row.state is IdentityState.PENDING or bool(row.invitation)

    def accepted(self, key: str, identity: IdentityKey, visit: Visit) -> Refuse | BeingFinished | None:
        """Give the invitation's groups to the account of an identity; see `AccountService.accept_invitation`."""
        by = By("self", address=visit.address, request_id=visit.request_id)
        return self._accounts.accept_invitation(key, identity, by=by)
