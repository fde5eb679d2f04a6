"""The seal on kept tokens: who can read the account store must not be able to work at a provider.

Owns what an envelope is bound to: the identity and the account, so that a row that was moved to another key
or account opens no more. AES-GCM under the key ring (`identity.encryption`).
"""

from identity.accounts.store import KeptTokens
from identity.encryption import Encryption, Unopened
from identity.errors import StoreCorrupt, StoreUnavailable
from identity.types import AccountId, IdentityKey
from identity.upstream_tokens import grants
from identity.upstream_tokens.grants import KeptGrant


class GrantSeal:
    """Seals grants, and opens rows.

    Args:
        encryption: for this purpose.
    """

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    def sealed(self, key: IdentityKey, account_id: AccountId | None, grant: KeptGrant) -> bytes:
        """Return what the row of this key and account holds."""
        return self._encryption.seal(_place(key, account_id), grants.pack(grant))

    def opened(self, row: KeptTokens) -> KeptGrant:
        """Return what a row holds. What its key left the ring with is lost: only another login brings more.

        Raises:
            StoreUnavailable: `newer-key`: this daemon has not read the key yet.
            StoreCorrupt: it was not sealed by us for this key and account.
        """
        body = self._encryption.unseal(_place(row.key, row.account_id), row.sealed)
        match body:
            case Unopened.NEWER_KEY:
                raise StoreUnavailable("newer-key", detail="kept tokens are sealed with a key not read yet")
            case Unopened.KEY_GONE:
                return KeptGrant("", "", "", row.kept_at, None)
            case bytes():
                try:
                    return grants.unpack(body)
                except ValueError:
                    pass
        raise StoreCorrupt(detail="upstream_tokens: a row is not sealed by us for its identity and account")

    def is_outdated(self, row: KeptTokens) -> bool:
        """Tell whether a row that opened is sealed under an older key than the one that seals now."""
        return self._encryption.is_outdated(row.sealed)


def _place(key: IdentityKey, account_id: AccountId | None) -> bytes:
    # The length first: no other pair of key and account gives the same bytes.
    spelt = key.encode()
    return b"%d:" % len(spelt) + spelt + (account_id.bytes if account_id else b"")
