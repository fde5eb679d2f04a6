"""What the options' descriptions look like to people: the example file and the tables of the manual.

Owns `config.example.ini` and the tables of docs/configuration.md; tests compare both with what
is made here, and `make options` writes them anew.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from identity.config.applications import AppSection
from identity.config.membership import GroupSection
from identity.config.model import APP, GROUP, PROVIDER, SECTIONS, ProviderSection
from identity.config.sources import PLACEHOLDER
from options.option import Option, options_of
from providers import REGISTRY

START: Final = "<!-- options: made by `make options` -->"
_WIDTH: Final = 100
END: Final = "<!-- end of options -->"

_INTRO: Final = """\
# identityd: every option, its default and what it does.
#
# An option that begins with ";" shows its default; remove the ";" to change it. "(needed)" has no
# default. Comments are whole lines. A list is separated by spaces or commas and may go on in
# indented lines. Relative paths start from this file's folder. Anything unknown refuses to start.
#
# A secret may also stand in a file of its own (client_secret_file = …) or in the environment
# (IDENTITYD_<SECTION>_<OPTION>, for example IDENTITYD_PROVIDER_GITHUB_CLIENT_SECRET).
#
# `identityd.py check-config` says what is wrong without starting. A running daemon takes changes at
# SIGHUP, but for options that say "restart". More: docs/configuration.md
"""
_FAMILY_INTROS: Final = {
    PROVIDER: "One section for each login provider; the name after the colon is part of every identity it proves, "
    "so choose it once and never give it to another provider.",
    APP: "One section for each application that asks about sessions; the name is its client id. Give each a host of "
    "its own: to a browser one host is one application, and the login is one too.",
    GROUP: "One section for each group whose members follow from what providers say; groups that only operators keep "
    "need none.",
}


def example() -> str:
    """Return the text of `config.example.ini`."""
    parts = [_INTRO]
    parts += [_example_section(f"[{name}]", doc_of(cls), options_of(cls)) for name, cls in SECTIONS.items()]
    common = options_of(ProviderSection)
    title = _FAMILY_INTROS[PROVIDER]
    for kind in (kind for kind in REGISTRY.values() if options_of(kind.options)):
        options = (replace(common[0], default=kind.name), *common[1:], *options_of(kind.options))
        parts.append(_example_section(f";[{PROVIDER}:{kind.name}]", title, options))
        # Every kind has the common options; one section is enough to show them.
        common, title = common[:1], "Another provider; label and enabled as above."
    parts.append(_example_section(f";[{APP}:wiki]", _FAMILY_INTROS[APP], options_of(AppSection)))
    parts.append(_example_section(f";[{GROUP}:staff]", _FAMILY_INTROS[GROUP], options_of(GroupSection)))
    return "\n".join(parts)


def tables() -> str:
    """Return the tables of docs/configuration.md, in Markdown."""
    parts = [_table(f"[{name}]", doc_of(cls), options_of(cls)) for name, cls in SECTIONS.items()]
    parts.append(_table(f"[{PROVIDER}:<name>]", "A login provider. All kinds have:", options_of(ProviderSection)))
    for kind in REGISTRY.values():
        own = options_of(kind.options)
        intro = "Besides the options above:" if own else "No options besides those above."
        parts.append(_table(f"[{PROVIDER}:<name>] kind = {kind.name}", intro, own))
    for name, section in ((f"{APP}:<client-id>", AppSection), (f"{GROUP}:<name>", GroupSection)):
        parts.append(_table(f"[{name}]", doc_of(section).partition(": ")[2].capitalize(), options_of(section)))
    return "\n".join(parts)


def doc_of(section: type) -> str:
    """Return the first line of a section's docstring."""
    return (section.__doc__ or "").partition("\n")[0]


def _example_section(header: str, title: str, options: Sequence[Option]) -> str:
    lines = ["", *_comment(title), header]
    for option in options:
        value = PLACEHOLDER if option.default is None else option.default
        lines += ["", *_comment(f"{option.sentence} ({_type(option)})"), f";{option.name} = {value}".rstrip()]
    return "\n".join(lines) + "\n"


def _type(option: Option) -> str:
    return f"{option.type.name}; restart" if option.live is False else option.type.name


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _table(header: str, title: str, options: Sequence[Option]) -> str:
    lines = [f"### `{header}`", "", title, ""]
    if options:
        lines += ["| option | type | default | changed by | |", "|---|---|---|---|---|"]
        lines += (_row(option) for option in options)
        lines.append("")
    return "\n".join(lines)


def _row(option: Option) -> str:
    default = "*needed*" if option.default is None else f"`{option.default}`" if option.default else "*empty*"
    changed_by = "restart" if option.live is False else "SIGHUP"
    cells = (f"`{option.name}`", option.type.name, default, changed_by, option.sentence)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
