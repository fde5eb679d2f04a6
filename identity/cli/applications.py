"""`applications`: which programs are registered, from the command line.

Owns the command, its manual and its table; it is words over `identity.admin`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from identity.cli import operator_service as operator
from identity.cli.options import JSON, config_option
from identity.cli.saying import aligned, answer

if TYPE_CHECKING:
    from identity.admin.results import ApplicationList

_HEAD: Final = ("application", "hosts", "secrets", "tokens", "returns to")


@click.group(no_args_is_help=True)
def applications() -> None:
    """See which applications are registered.

    \b
    Example:
      identityd.py applications list
    """  # noqa: D301 - click knows a paragraph to keep by this very character


@applications.command(name="list", short_help="List the registered applications.")
@config_option
@JSON
def list_applications(path: Path, *, as_json: bool) -> None:
    """List the registered applications: id, hosts, how many secrets are valid, where a login may return to.

    No secret is printed. Two are valid while one is being changed (second_secret).

    \b
    Examples:
      identityd.py applications list
      identityd.py applications list --json
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.requests import ApplicationsQuestion
    from identity.admin.shapes import as_json as shape

    with operator.opened(path) as service:
        listed = service.applications(ApplicationsQuestion(operator.reader()))
        answer(shape(listed), "\n".join(_table(listed)), as_json=as_json)


def _table(listed: "ApplicationList") -> list[str]:
    if not listed.applications:
        return ["No application is registered."]
    rows = [
        (
            app.id,
            ", ".join(app.hosts) or "-",
            str(len(app.secrets)),
            "yes" if app.mint else "no",
            ", ".join(app.return_to) or "-",
        )
        for app in listed.applications
    ]
    return aligned([_HEAD, *rows])
