"""Where an option's text comes from: the file, for secrets also a file of its own or the environment.

Owns the names `<option>_file` and `IDENTITYD_<SECTION>_<OPTION>` and the rule that a value comes
from exactly one place: which of two would win is nothing to remember while rotating a secret.
Unknown options and variables are problems, never ignored (a renamed setting that is silently
dropped has let people in elsewhere: oauthenticator GHSA-384w).
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from identity.config import files
from identity.config.model import FAMILIES, SECTIONS
from options.option import Option, options_of

PREFIX: Final = "IDENTITYD_"
PLACEHOLDER: Final = "(needed)"
"""What the example file shows for an option without a default."""
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Z0-9]")
_OURS: Final = tuple(f"{PREFIX}{name.upper()}_" for name in (*SECTIONS, *FAMILIES))
"""Variables that can only be meant for us. Others are not: an orchestrator with a service of this
name sets IDENTITYD_PORT and IDENTITYD_SERVICE_HOST by itself."""


def variable(section: str, option: str) -> str:
    """Return the environment variable of a secret option, for example IDENTITYD_APP_WIKI_SECRET."""
    return PREFIX + _NOT_IN_A_NAME.sub("_", f"{section}_{option}".upper())


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


class Sources:
    """Text of options from every allowed place.

    Args:
        environ: the process's environment.
        base: folder of the configuration file, which relative paths start from.
    """

    def __init__(self, environ: Mapping[str, str], base: Path) -> None:
        self._environ = environ
        self._base = base
        self._known: set[str] = set()

    def gather(
        self, section: str, options: Sequence[Option], given: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the text of each option that has any, and a problem for each that is at fault."""
        texts: dict[str, str] = {}
        faults: dict[str, str] = {}
        for option in options:
            try:
                text = self._text(section, option, given)
            except ValueError as error:
                faults[option.name] = str(error)
            else:
                if text == PLACEHOLDER:
                    faults[option.name] = "still is the example's placeholder; write your own value"
                elif text is not None:
                    texts[option.name] = text
        known = {name for option in options for name in _spellings(option)}
        faults |= {name: _unknown(name, known) for name in given if name not in known}
        return texts, faults

    def unknown_variables(self) -> Iterator[str]:
        """Yield a problem for each variable that looks like ours and names no secret of the configuration."""
        for name in sorted(self._environ):
            if name.startswith(_OURS) and name not in self._known:
                yield (
                    f"[environment] {name}: is no secret of this configuration (only secrets of sections in the file "
                    f"can come from the environment){suggestion(name, self._known) or '; unset it'}"
                )

    def _text(self, section: str, option: Option, given: Mapping[str, str]) -> str | None:
        if not option.secret:
            return given.get(option.name)
        places = {
            option.name: given.get(option.name),
            f"{option.name}_file": given.get(f"{option.name}_file"),
            **{name: self._environ.get(name) for name in self._variables(section, option)},
        }
        found = {place: text for place, text in places.items() if text is not None}
        if len(found) > 1:
            raise ValueError(f"is given more than once ({', '.join(found)}); keep one")
        for place, text in found.items():
            return self._read(text) if place.lower().endswith("_file") else text
        return None

    def _variables(self, section: str, option: Option) -> tuple[str, str]:
        name = variable(section, option.name)
        names = (name, f"{name}_FILE")
        self._known.update(names)
        return names

    def _read(self, path: str) -> str:
        if not path or not path.isprintable():
            raise ValueError("names no file to read it from")
        return files.read_secret(self._base / path)


def _spellings(option: Option) -> tuple[str, ...]:
    return (option.name, f"{option.name}_file") if option.secret else (option.name,)


def _unknown(name: str, known: Iterable[str]) -> str:
    homes = [f"[{section}]" for section, cls in SECTIONS.items() if name in {o.name for o in options_of(cls)}]
    hint = f"; it belongs to {' or '.join(homes)}" if homes else suggestion(name, known)
    return f"there is no such option here{hint}"
