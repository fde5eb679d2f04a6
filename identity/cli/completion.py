"""`completion`: what makes a shell complete commands and options.

Owns the scripts, which click writes, and where a release puts each. A shell that completes calls the
program, which answers from the commands alone: no configuration is read and no store opened, so no
name of a person is offered.
"""

from typing import Final

import click
from click.shell_completion import get_completion_class

from identity.cli.saying import say

PROGRAM: Final = "identityd.py"
_VARIABLE: Final = "_IDENTITYD_PY_COMPLETE"
"""As click derives it from the program's name."""
FILES: Final = {
    "bash": f"share/bash-completion/completions/{PROGRAM}.bash",
    "zsh": "share/zsh/site-functions/_identityd",
    "fish": f"share/fish/vendor_completions.d/{PROGRAM}.fish",
}
"""Where each shell looks below a prefix, for example /usr/local."""


@click.command(short_help="Print what makes a shell complete these commands.")
@click.argument("shell", type=click.Choice(list(FILES)))
def completion(shell: str) -> None:
    """Print a script after which SHELL completes commands and options of identityd.py.

    A release has the three scripts in share/. The shell must find identityd.py by that name: link it
    into a folder of PATH. Only commands, options and files are completed, never usernames: nothing is
    read for it.

    \b
    Examples:
      eval "$(identityd.py completion bash)"                                in this shell, or in ~/.bashrc
      identityd.py completion zsh > ~/.zfunc/_identityd                     a folder of fpath
      identityd.py completion fish > ~/.config/fish/completions/identityd.py.fish
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    say(script(shell).strip())


def script(shell: str) -> str:
    """Return the script for a shell of FILES."""
    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(shell)
    made = kind(click.Group(), {}, PROGRAM, _VARIABLE)
    # Bash's own `source` would start a bash, to see how old it is.
    return made.source_template % made.source_vars()
