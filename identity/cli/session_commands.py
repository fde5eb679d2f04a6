"""`sessions list`, `show`, `end`, `clear`: open sessions, from the command line.

Owns these commands and their manual; they are words and prompts over `identity.admin`. What they
say is in `session_sentences.py`, what they share with `accounts` in `operator_service.py`. They
work on the configured stores, beside a daemon that may be running.
"""

from pathlib import Path
from typing import Any

import click

from identity.cli import operator_service as operator
from identity.cli.failing import of_store
from identity.cli.options import JSON, YES, account_argument, change_options, config_option
from identity.cli.saying import answer


@click.command(name="list", short_help="Show where an account is logged in.")
@config_option
@account_argument
@JSON
def list_sessions(path: Path, account: str, how: str | None, *, as_json: bool) -> None:
    """Show the open sessions of ACCOUNT, the newest login first; those of applications below their login.

    The browser and the network are what the session's owner sees on the account page, too; the full
    address of each login is in the audit (`accounts show`).

    \b
    Examples:
      identityd.py sessions list alice
      identityd.py sessions list github:583231 --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.requests import AccountQuestion
    from identity.admin.shapes import as_json as shape
    from identity.cli.session_sentences import table

    question = AccountQuestion(operator.account_name(account, how), operator.reader())
    with operator.opened(path) as service:
        listed = operator.answered(service.sessions(question), account)
        answer(shape(listed), "\n".join(table(listed)), as_json=as_json)


@click.command(short_help="Show everything about a session.")
@config_option
@account_argument
@click.argument("session")
@JSON
def show(path: Path, account: str, how: str | None, session: str, *, as_json: bool) -> None:
    """Show what is known of SESSION of ACCOUNT.

    SESSION is what `sessions list` prints, the whole id (in the audit, too) or its beginning.

    \b
    Example:
      identityd.py sessions show alice 4f1a09c2
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.requests import SessionQuestion
    from identity.admin.shapes import as_json as shape
    from identity.cli.session_sentences import page

    question = SessionQuestion(operator.account_name(account, how), session, operator.reader())
    with operator.opened(path) as service:
        shown = operator.answered(service.session(question), account)
        answer(shape(shown), "\n".join(page(shown)), as_json=as_json)


@click.command(short_help="End one session of an account, or all.")
@config_option
@account_argument
@click.argument("session", required=False)
@click.option("--all", "everything", is_flag=True, help="End every session of the account.")
@YES
@change_options
@JSON
def end(path: Path, account: str, how: str | None, session: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """End SESSION of ACCOUNT, and the applications' sessions below it; or with --all every session.

    The next request of that browser is sent to the login page. The person may log in again at once;
    to forbid it, use `accounts disable`. SESSION is as of `sessions show`; while its
    memcached node does not answer, only the whole id (32 digits) says which one is meant.

    With sessions in the daemon's memory the daemon ends them within about 5 seconds, and SESSION must
    be the whole id.

    \b
    Exit codes:
      0    done
      1    refused, not found, or a store is away; the message says which, and whether anything was changed
      2    the configuration or the command line is wrong; nothing was changed
      3    kept to be ended: the session could not be reached yet, the daemon goes on trying

    \b
    Examples:
      identityd.py sessions end alice 4f1a09c2 --reason "ticket 4711: left open in the library"
      identityd.py sessions end alice --all --reason "ticket 4712" --yes
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from uuid import uuid4

    from identity.admin.requests import EndOneSession

    if (session is None) is not given["everything"]:
        raise click.UsageError("say which: SESSION, as `sessions list` shows it, or --all")
    change, yes = operator.change_of(account, how, given, yes=given["yes"]), given["yes"]
    told = operator.confirming(account, yes=yes)
    with operator.opened(path) as service:
        if session is None:
            result = service.end_sessions(change, told)
        else:
            result = service.end_session(EndOneSession(uuid4(), change.account, session, change.by), told)
        operator.report(operator.answered(result, account), as_json=given["as_json"])


@click.command(short_help="Log every person out.")
@config_option
@YES
@JSON
def clear(path: Path, *, yes: bool, as_json: bool) -> None:
    """Forget every session of every account: every memcached node is emptied, and each must answer.

    For after accounts were brought back from a snapshot: sessions that know a later state of their accounts
    would keep their people out. Do it while no daemon serves; beside one that does, every person is logged out
    all the same and may log in again at once. `restore` does it by itself.

    \b
    Exit codes:
      0    done
      1    a node did not answer, or you said no; some nodes may be emptied, run it again
      2    the configuration or the command line is wrong; nothing was changed

    \b
    Example:
      identityd.py sessions clear --yes
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from contextlib import ExitStack

    from identity.cli import prompts
    from identity.cli.node_list_steps import configured
    from identity.errors import StoreError
    from identity.restoring import SessionNodes

    read = configured(path)
    prompts.may_ask(yes=yes)
    with ExitStack() as closing:
        try:
            nodes = SessionNodes(read, closing)
            prompts.confirm(f"Every person is logged out: {', '.join(nodes.names)} emptied.", yes=yes)
            nodes.empty()
        except StoreError as error:
            raise of_store("not done", error, "; run it again when it answers") from None
    words = f"memcached {', '.join(nodes.names)}: emptied; every person logs in again."
    answer({"emptied": list(nodes.names)}, words, as_json=as_json)
