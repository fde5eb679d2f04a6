"""`groups`: who is in which group, from the command line.

Owns the commands, their manual and what they print; they are words and prompts over `identity.admin`.
"""

from pathlib import Path
from typing import Any, Final

import click

from identity.cli import operator_service as operator
from identity.cli.options import JSON, account_argument, change_options, config_option
from identity.cli.saying import aligned, answer

_GROUP: Final = click.argument("group")


@click.group(no_args_is_help=True)
def groups() -> None:
    """Put accounts into groups, take them out, see who is in one.

    A group decides who may enter an application ([app:…] allow = group:NAME). Open sessions know a
    change at their next check, and none ends. What a provider says of a person can make a
    member too ([group:NAME] members); such members are not listed here, because it is asked at
    each login anew.

    \b
    Examples:
      identityd.py groups add staff alice --reason "ticket 4711"
      identityd.py groups remove staff alice --reason "left the team"
      identityd.py groups members staff
    """  # noqa: D301 - click knows a paragraph to keep by this very character


@groups.command(short_help="Put an account into a group.")
@config_option
@_GROUP
@account_argument
@change_options
@JSON
def add(path: Path, group: str, account: str, how: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Put ACCOUNT into GROUP. A group is there as soon as an account is in it.

    \b
    Example:
      identityd.py groups add staff alice --reason "ticket 4711"
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    _change(path, account, how, given, add=(group,))


@groups.command(short_help="Take an account out of a group.")
@config_option
@_GROUP
@account_argument
@change_options
@JSON
def remove(path: Path, group: str, account: str, how: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Take ACCOUNT out of GROUP. What its sessions may not enter any more is refused at the next check.

    A membership that follows from what a provider says ([group:GROUP] members) is not ended by this.

    \b
    Example:
      identityd.py groups remove staff alice --reason "left the team"
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    _change(path, account, how, given, remove=(group,))


@groups.command(short_help="List the accounts in a group.")
@config_option
@_GROUP
@JSON
def members(path: Path, group: str, *, as_json: bool) -> None:
    """List the accounts that operators have put into GROUP. Reads every account once.

    \b
    Examples:
      identityd.py groups members staff
      identityd.py groups members staff --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.requests import GroupQuestion
    from identity.admin.shapes import as_json as shape

    question = GroupQuestion(_group(group), operator.reader())
    with operator.opened(path) as service:
        found = service.members(question)
        rows = [(each.username, str(each.key), each.status.value) for each in found.accounts]
        text = "\n".join(aligned(rows)) if rows else f"No account was put into {group}."
        answer(shape(found), text, as_json=as_json)


def _change(
    path: Path,
    account: str,
    how: str | None,
    given: dict[str, Any],
    *,
    add: tuple[str, ...] = (),
    remove: tuple[str, ...] = (),
) -> None:
    from uuid import uuid4

    from identity.admin.requests import ChangeAccountGroups

    request = ChangeAccountGroups(
        uuid4(),
        operator.account_name(account, how),
        operator.changer(given),
        add=frozenset(map(_group, add)),
        remove=frozenset(map(_group, remove)),
    )
    operator.change(path, account, lambda to, told: to.change_groups(request, told), as_json=given["as_json"])


def _group(text: str) -> str:
    from identity.membership.rules import read_group

    try:
        return read_group(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
