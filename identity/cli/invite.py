"""`invite`: links that let one person sign up, from the command line.

Owns the commands, their manual and what they print; they are words and prompts over `identity.admin`. A link is
printed once, when it is made: it is kept nowhere.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from identity.cli import operator_service as operator
from identity.cli.options import JSON, YES, change_options, config_option
from identity.cli.saying import aligned, say

if TYPE_CHECKING:
    from identity.admin.invitations import InvitationShown
    from identity.config import Config
    from identity.types import Millis

_DURATION: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_SHORTEST: Final = "5m"


@click.group(no_args_is_help=True)
def invite() -> None:
    """Make links that let one person sign up, list them, take them back.

    A link is good once, until its end, for any person who has it: send it over a channel you trust.
    Opening it uses nothing up; signing up with it does. It admits with [accounts] sign_up = invited, and with
    rules where none holds; with closed no person signs up. A person who has an account and follows
    a link with groups is put into them, and the link is used up too.

    \b
    Examples:
      identityd.py invite new --for "Ann, accounting" --group staff --reason "ticket 4711"
      identityd.py invite new --for bob@example.org --expires 2d --reason "starts on Monday" --json
      identityd.py invite list
      identityd.py invite revoke 3fa94c01 --reason "sent to the wrong address"
    """  # noqa: D301 - click knows a paragraph to keep by this very character


@invite.command(short_help="Make a link.")
@config_option
@click.option("--for", "guest", default="", help="Whom it is for, in your words; shown by `list`, never checked.")
@click.option("--group", "groups", multiple=True, help="A group the account will be in; may be repeated.")
@click.option("--expires", default="7d", show_default=True, help="How long it is good: 30m, 12h, 7d; at most 90d.")
@JSON
@change_options
def new(path: Path, guest: str, groups: tuple[str, ...], expires: str, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Make a link for one person and print it, alone on standard output. It is shown once.

    \b
    Examples:
      identityd.py invite new --for "Ann, accounting" --group staff --reason "ticket 4711"
      identityd.py invite new --expires 12h --reason "demo on Friday" --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from uuid import uuid4

    from identity.accounts.invitation import link_of
    from identity.accounts.inviting import Invite
    from identity.admin.shapes import as_json as shape
    from identity.operating import open_operator_service

    read, secret = operator.configured(path), _secret()
    by = operator.changer(given)
    request = Invite(uuid4(), secret, by, _lasts(expires), _guest(guest), tuple(map(_group, groups)))
    with operator.opened_stores(read, open_operator_service) as service:
        made = service.invite(request)
    link = link_of(str(read.server.public_url), secret)
    _warn(read, grouped=bool(groups))
    if as_json:
        say(json.dumps({"link": link, **shape(made)}))
        return
    say(link)
    say(f"Invitation {made.row.id}: {_about(made)}. The link is not shown again.", err=True)


@invite.command("list", short_help="List the invitations.")
@config_option
@JSON
def list_(path: Path, *, as_json: bool) -> None:
    """List the invitations, the newest first: what each is worth, until when, for whom.

    Used, revoked and expired ones are listed for 30 days after the end of their links. Reads every
    invitation once.

    \b
    Examples:
      identityd.py invite list
      identityd.py invite list --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.shapes import as_json as shape
    from identity.clock import moment

    with operator.opened(path) as service:
        found = service.invitations()
    if as_json:
        say(json.dumps(shape(found)))
    elif not found.invitations:
        say("There are no invitations.")
    else:
        say("\n".join(aligned([_row(each, moment(each.row.ends_at)) for each in found.invitations])))


@invite.command(short_help="Take an invitation back.")
@config_option
@click.argument("invitation")
@YES
@JSON
@change_options
def revoke(path: Path, invitation: str, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Take INVITATION back: its link is worth nothing from now on.

    INVITATION is the beginning of its id, as `list` shows it, or the whole link. One that was used is
    not taken back; disable the account instead.

    \b
    Example:
      identityd.py invite revoke 3fa94c01 --reason "sent to the wrong address" --yes
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from uuid import uuid4

    from identity.admin.invitations import RevokeInvitation
    from identity.admin.shapes import as_json as shape
    from identity.cli import prompts

    yes = given["yes"]
    request = RevokeInvitation(uuid4(), invitation, operator.changer(given, yes=yes))

    def told(found: "InvitationShown") -> None:
        prompts.confirm(f"Invitation {found.row.id} will be worth nothing: {_about(found)}.", yes=yes)

    with operator.opened(path) as service:
        revoked = operator.answered(service.revoke_invitation(request, told), invitation)
    say(json.dumps(shape(revoked)) if as_json else f"Invitation {revoked.row.id} is worth nothing any more.")


def _secret() -> str:
    import os

    from identity.login.flow import SECRET_BYTES, spelt

    return spelt(os.urandom(SECRET_BYTES))


def _lasts(text: str) -> "Millis":
    from identity.accounts.invitation import LONGEST_MS
    from identity.types import DAY, HOUR, MINUTE

    found = _DURATION.fullmatch(text)
    lasts = int(found[1]) * {"m": MINUTE, "h": HOUR, "d": DAY}[found[2]] if found else 0
    if not 5 * MINUTE <= lasts <= LONGEST_MS:
        longest = LONGEST_MS // DAY
        raise click.UsageError(f"--expires: {text!r} is not {_SHORTEST} to {longest}d, such as 30m, 12h or 7d")
    return lasts


def _guest(text: str) -> str:
    from identity.accounts.invitation import GUEST_CHARS

    line = " ".join(text.split())
    if len(line) > GUEST_CHARS or not line.isprintable():
        raise click.UsageError(f"--for: at most {GUEST_CHARS} printable characters")
    return line


def _group(text: str) -> str:
    from identity.membership.rules import read_group

    try:
        return read_group(text)
    except ValueError as error:
        raise click.UsageError(f"--group: {error}") from None


def _warn(read: "Config", *, grouped: bool) -> None:
    """Say what the link will not do with this configuration."""
    from identity.login.admission import SignUpMode

    if read.accounts.sign_up is SignUpMode.CLOSED:
        use = "it only puts a person who has an account into its groups" if grouped else "it is of no use"
        say(f"Warning: [accounts] sign_up = closed, so nobody signs up with this link; {use}.", err=True)
    elif read.accounts.sign_up is SignUpMode.OPEN:
        say("Warning: [accounts] sign_up = open, so a person needs no link to sign up.", err=True)


def _about(shown: "InvitationShown") -> str:
    from identity.cli.account_sentences import plain
    from identity.clock import moment

    row = shown.row
    parts = (
        f"good until {moment(row.ends_at)}",
        f"for {plain(row.guest)}" if row.guest else "",
        f"with group {', '.join(row.groups)}" if row.groups else "",
    )
    return ", ".join(part for part in parts if part)


def _row(shown: "InvitationShown", ends_at: str) -> tuple[str, ...]:
    from identity.cli.account_sentences import plain

    row = shown.row
    groups = f"groups {','.join(row.groups)}" if row.groups else ""
    used = f"account {row.account_id}" if row.account_id else ""
    return row.id, shown.standing.value, ends_at, " ".join(part for part in (plain(row.guest), groups, used) if part)
