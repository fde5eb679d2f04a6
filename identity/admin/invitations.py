"""Invitations, as an operator asks for them, looks at them and takes them back.

Owns how a text names one: the beginning of its id, or the whole link. Must not be asked while a person waits, because
a list reads every invitation that is kept.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from identity.accounts.invitation import ID_DIGITS, PARAMETER, InvitationRow, Worth, key_of
from identity.accounts.inviting import InvitationOver, InvitationRevoked
from identity.accounts.results import By
from identity.accounts.service import AccountService
from identity.admin.problem import Problem

FEWEST_DIGITS: Final = 4
_ID: Final = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},{ID_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class RevokeInvitation:
    """An invitation to be taken back; `name` is the beginning of its id, or its link. `id` is kept for a retry."""

    id: UUID
    name: str
    by: By


@dataclass(frozen=True, slots=True)
class InvitationShown:
    """An invitation, and what it is worth."""

    row: InvitationRow
    standing: Worth


@dataclass(frozen=True, slots=True)
class InvitationList:
    """Every invitation that is kept, the newest first."""

    invitations: tuple[InvitationShown, ...]


@dataclass(frozen=True, slots=True)
class InvitationUnclear(Problem):
    """A text names no invitation, or several; None if it can name none."""

    text: str
    matches: int | None

    @property
    def code(self) -> str:  # noqa: D102 - Problem
        if self.matches is None:
            return "bad-invitation"
        return "many-invitations" if self.matches else "no-invitation"


@dataclass(frozen=True, slots=True)
class InvitationPast(Problem):
    """It cannot be taken back: used, over, taken back before, or being used at this moment."""

    shown: InvitationShown

    @property
    def code(self) -> str:  # noqa: D102 - Problem
        return f"invitation-{self.shown.standing.value}"


def listed(accounts: AccountService) -> InvitationList:
    """Return every invitation that is kept. Reads them all. Raises StoreUnavailable."""
    shown = (InvitationShown(row, standing) for row, standing in accounts.invitations())
    return InvitationList(tuple(sorted(shown, key=lambda each: each.row.created_at, reverse=True)))


def revoke(
    accounts: AccountService, request: RevokeInvitation, told: Callable[[InvitationShown], None]
) -> InvitationShown | Problem:
    """Take an invitation back. Raises StoreUnavailable: the same request may be repeated."""
    found = _named(accounts, request.name)
    if isinstance(found, Problem):
        return found
    told(found)
    match accounts.revoke_invitation(request.id, found.row, by=request.by):
        case InvitationRevoked(row=row):
            return InvitationShown(row, Worth.REVOKED)
        case InvitationOver(standing=standing, row=row):
            return InvitationPast(InvitationShown(row or found.row, standing))


def _named(accounts: AccountService, text: str) -> InvitationShown | InvitationUnclear:
    sent = parse_qs(urlsplit(text.strip()).query).get(PARAMETER, [""])[0]
    key = key_of(sent) or text.strip().lower()
    if key_of(sent) is None and not _ID.fullmatch(key):
        return InvitationUnclear(text if "?" not in text else "that link", None)
    found = [each for each in listed(accounts).invitations if each.row.key.startswith(key)]
    return found[0] if len(found) == 1 else InvitationUnclear(key[:ID_DIGITS], len(found))
