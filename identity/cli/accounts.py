"""`accounts`: finding accounts, their ways to log in, closing and opening them, from the command line.

Owns the commands and their manual; they are words and prompts over `identity.admin`. What they share
is in `operator_service.py`, what they say in `account_sentences.py`, what they ask in `prompts.py`.
They work on the stores themselves, beside a daemon that may be running or not.
"""

from pathlib import Path
from typing import Any, Final

import click

from identity.cli import operator_service as operator
from identity.cli.options import JSON, YES, account_argument, change_options, config_option
from identity.cli.saying import answer, say

EVENTS: Final = 10
"""Audit rows that `show` prints."""
PAGE: Final = 50
"""Accounts that `list` prints."""

_EXACT: Final = click.option(
    "--exact", is_flag=True, help="IDENTITY is spelt exactly as identityd shows it: provider:id or provider:tenant:id."
)


@click.group(no_args_is_help=True)
def accounts() -> None:
    """List and find accounts, link and unlink ways to log in, disable and enable.

    Works on the configured stores directly, while the daemon runs or not. Call it as the system's
    user the daemon runs as, so that it can read the same files.

    \b
    ACCOUNT is one of
      alice                                   a username, in any case; one the account gave up works too
      github:583231                           a way to log in, as identityd shows it
      6f1c0e3a-5f0e-5d0c-8a51-0b7d4c1a2f10    an account id
    A text that means several accounts is refused; --username, --identity or --account says what it is.
    An id with % : or control characters is shown percent-encoded; typed as the provider gives it, it is
    encoded for you wherever that can be meant in one way only.

    \b
    Examples:
      identityd.py accounts list --prefix ali
      identityd.py accounts find github:583231
      identityd.py accounts show alice --events 30
      identityd.py accounts link alice github:583231 --reason "ticket 4711, checked by phone"
      identityd.py accounts disable alice --reason "laptop stolen" --yes

    \b
    Exit codes:
      0    done
      1    refused, not found, or a store is away; the message says which, and whether anything was changed
      2    the configuration or the command line is wrong; nothing was changed
      3    done: new logins are refused; some open sessions could not be reached yet, the daemon goes on trying
    """  # noqa: D301 - click knows a paragraph to keep by this very character


@accounts.command(short_help="Say which account a name leads to.")
@config_option
@account_argument
@JSON
def find(path: Path, account: str, how: str | None, *, as_json: bool) -> None:
    """Print the account that ACCOUNT leads to: username, account id, status, ways to log in.

    \b
    Examples:
      identityd.py accounts find alice
      identityd.py accounts find github:583231 --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.requests import AccountQuestion
    from identity.admin.shapes import as_json as shape
    from identity.cli import account_sentences as sentences

    question = AccountQuestion(operator.account_name(account, how), operator.reader())
    with operator.opened(path) as service:
        found = operator.answered(service.find(question), account)
        operator.note_former(found, account)
        answer(shape(found), sentences.one_line(found), as_json=as_json)


@accounts.command(name="list", short_help="List accounts by username, a page at a time.")
@config_option
@click.option("--prefix", default="", help="Only usernames that begin so, in any case.")
@click.option("--after", help="Go on behind this username: the last one of the page before.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=PAGE, show_default=True, help="Accounts at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each account, a line each.")
def list_accounts(path: Path, prefix: str, after: str | None, limit: int, *, as_json: bool) -> None:
    """List accounts: username, account id, status, ways to log in.

    In an account file (SQLite) they come in the order of their names, and only what is listed is read. Cassandra
    keeps names in no order: each page walks all names behind --after until it is full, so a rare --prefix reads
    every one, as `fsck` does. Where more may follow, the command that goes on is said on standard error.

    \b
    Examples:
      identityd.py accounts list
      identityd.py accounts list --prefix ju --limit 50 --after julia
      identityd.py accounts list --limit 10000 --json | jq -r 'select(.status == "disabled") | .username'
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.requests import ListAccounts
    from identity.admin.shapes import listed
    from identity.cli import account_sentences as sentences

    _require_name(prefix, "--prefix")
    _require_name(after or "", "--after")
    question = ListAccounts(prefix, after, limit, operator.reader())
    count, last = 0, ""
    with operator.opened(path) as service:
        for account in service.list(question):
            count, last = count + 1, account.username
            answer(listed(account), sentences.line_of(account), as_json=as_json)
    if count == limit:
        begin = f"--prefix {prefix} " if prefix else ""
        say(f"There may be more: identityd.py accounts list {begin}--limit {limit} --after {last}", err=True)
    elif not count and not as_json:
        say("No account." if not prefix and after is None else "No account has such a username.", err=True)


def _require_name(text: str, option: str) -> None:
    from identity.accounts.usernames import shown

    name = shown(text)
    if not (name.isascii() and name.isprintable()) or " " in name:
        raise click.UsageError(f"{option}: usernames are made of a-z, 0-9, _ . and -")


@accounts.command(short_help="Show everything about an account.")
@config_option
@account_argument
@click.option("--events", type=click.IntRange(0, 1_000), default=EVENTS, show_default=True, help="Audit rows to show.")
@JSON
def show(path: Path, account: str, how: str | None, *, events: int, as_json: bool) -> None:
    """Show ACCOUNT: its ways to log in, whether the rows agree, profile, audit.

    Beside each way stands what the index says of it, if that differs: such a way may not work.
    The profile is what a provider said last; it never leads to an account.

    \b
    Examples:
      identityd.py accounts show alice
      identityd.py accounts show github:583231 --events 100 --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.requests import InspectAccount
    from identity.admin.shapes import as_json as shape
    from identity.cli import account_sentences as sentences

    question = InspectAccount(operator.account_name(account, how), operator.reader(), events)
    with operator.opened(path) as service:
        seen = operator.answered(service.inspect(question), account)
        operator.note_former(seen.found, account)
        answer(shape(seen), "\n".join(sentences.page(seen)), as_json=as_json)


@accounts.command(short_help="Add a way to log in.")
@config_option
@account_argument
@click.argument("identity_text", metavar="IDENTITY")
@_EXACT
@click.option("--label", default="", help="What its owner will recognise it by, for example a handle.")
@click.option("--force", is_flag=True, help="Link it although no provider of that name is configured.")
@change_options
@JSON
def link(path: Path, account: str, how: str | None, identity_text: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Let IDENTITY, which is provider:id, log in to ACCOUNT.

    No proof is asked for: be sure that the identity belongs to the account's owner. Look the
    id up at the provider, never by an e-mail address. It is refused if it leads to another account.

    \b
    Examples:
      identityd.py accounts link alice github:583231 --label @alice --reason "ticket 4711"
      identityd.py accounts link alice 'corp:auth0|5f7c' --reason "moved to the company's login"
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from uuid import uuid4

    from identity.admin.requests import IdentityName, LinkIdentity

    identity = IdentityName(identity_text, exact=given["exact"])
    request = LinkIdentity(
        uuid4(),
        operator.account_name(account, how),
        identity,
        given["label"],
        any_provider=given["force"],
        by=operator.changer(given),
    )
    operator.change(path, account, lambda to, told: to.link(request, told), as_json=given["as_json"])


@accounts.command(short_help="Take a way to log in away.")
@config_option
@account_argument
@click.argument("identity_text", metavar="IDENTITY")
@_EXACT
@YES
@change_options
@JSON
def unlink(path: Path, account: str, how: str | None, identity_text: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Take IDENTITY, which is provider:id, from ACCOUNT and end the sessions opened through it.

    The last way to log in is never taken away. Works on a disabled account too.

    \b
    Examples:
      identityd.py accounts unlink alice github:583231 --reason "not hers, ticket 4712"
      identityd.py accounts unlink alice github:583231 --reason "not hers, ticket 4712" --yes
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from uuid import uuid4

    from identity.admin.requests import IdentityName, UnlinkIdentity

    identity, yes = IdentityName(identity_text, exact=given["exact"]), given["yes"]
    by = operator.changer(given, yes=yes)
    request = UnlinkIdentity(uuid4(), operator.account_name(account, how), identity, by)
    operator.change(path, account, lambda to, told: to.unlink(request, told), yes=yes, as_json=given["as_json"])


@accounts.command(short_help="Refuse every login and end every session.")
@config_option
@account_argument
@YES
@change_options
@JSON
def disable(path: Path, account: str, how: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Refuse every login of ACCOUNT from now on, and end its open sessions.

    With sessions in memcached they end at once. With sessions in the daemon's memory the daemon
    ends them within about 5 seconds. Nothing is deleted; `enable` opens the account again.

    \b
    Examples:
      identityd.py accounts disable alice --reason "laptop stolen"
      identityd.py accounts disable github:583231 --reason "abuse, ticket 4713" --as ann --yes
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    request, yes = operator.change_of(account, how, given, yes=given["yes"]), given["yes"]
    operator.change(path, account, lambda to, told: to.disable(request, told), yes=yes, as_json=given["as_json"])


@accounts.command(short_help="List the sign-ups that wait for approval.")
@config_option
@JSON
def waiting(path: Path, *, as_json: bool) -> None:
    """List the accounts that wait for approval ([accounts] approval = yes), the oldest first.

    At most 500 may wait; then sign-ups are refused until some are decided.

    \b
    Examples:
      identityd.py accounts waiting
      identityd.py accounts waiting --json | jq -r '.waiting[].username'
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.shapes import as_json as shape
    from identity.cli import account_sentences as sentences
    from identity.clock import moment

    with operator.opened(path) as service:
        found = service.waiting()
        lines = [f"{moment(each.since)}  {sentences.line_of(each.account)}" for each in found.waiters]
        answer(shape(found), "\n".join(lines) or "No account waits.", as_json=as_json)


@accounts.command(short_help="Let an account that waits log in.")
@config_option
@account_argument
@change_options
@JSON
def approve(path: Path, account: str, how: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Approve ACCOUNT, which waits: its next login enters. No message is sent to its owner.

    \b
    Example:
      identityd.py accounts approve alice --reason "asked her team lead"
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    request = operator.change_of(account, how, given)
    operator.change(path, account, lambda to, told: to.approve(request, told), as_json=given["as_json"])


@accounts.command(short_help="Refuse an account that waits.")
@config_option
@account_argument
@YES
@change_options
@JSON
def reject(path: Path, account: str, how: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Reject ACCOUNT, which waits: its logins are refused, and its username stays taken. `enable` opens it later.

    \b
    Examples:
      identityd.py accounts reject mallory --reason "not one of us"
      identityd.py accounts waiting --json | jq -r '.waiting[].account_id' |
        xargs -n 1 identityd.py accounts reject --reason "a flood of strangers" --yes --account
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    request, yes = operator.change_of(account, how, given, yes=given["yes"]), given["yes"]
    operator.change(path, account, lambda to, told: to.reject(request, told), yes=yes, as_json=given["as_json"])


@accounts.command(short_help="Let an account log in again.")
@config_option
@account_argument
@change_options
@JSON
def enable(path: Path, account: str, how: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Let ACCOUNT log in again. Sessions that were ended stay so.

    Ways to log in that a provider had suspended work again too, until it says so once more.

    \b
    Example:
      identityd.py accounts enable alice --reason "laptop found, password changed"
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    request = operator.change_of(account, how, given)
    operator.change(path, account, lambda to, told: to.enable(request, told), as_json=given["as_json"])
