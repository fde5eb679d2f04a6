"""A language: its sentences and how it counts.

Owns looking a sentence up by its key and filling it in. Sentences are ours and may be trusted; what
is filled in comes from anywhere and is escaped. They stand in `identity/locale/<language>.po`; the
`.mo` file beside it, which is read here, is made from it (ADR 12).
"""

from gettext import GNUTranslations
from pathlib import Path
from typing import Final

from markupsafe import Markup

LOCALE: Final = Path(__file__).parents[2] / "locale"


class Catalogue:
    """All sentences of one language. Immutable.

    Args:
        language: the name of its file, for example `en` (BCP 47).
    """

    def __init__(self, language: str) -> None:
        with (LOCALE / f"{language}.mo").open("rb") as file:
            self._sentences = GNUTranslations(file)
        self.language: Final = language

    def say(self, key: str, /, **values: object) -> Markup:
        """Return the sentence with its values escaped. Raises KeyError for an unknown key or a missing value."""
        return _filled(key, self._sentences.gettext(key), values)

    def count(self, key: str, n: int, /, **values: object) -> Markup:
        """Return the sentence for this number of things; `{n}` in it is the number."""
        return _filled(key, self._sentences.ngettext(key, key, n), {"n": n, **values})

    def has(self, key: str) -> bool:
        """Tell whether there is such a sentence, for one thing where it is counted."""
        return self._sentences.ngettext(key, key, 1) != key or self._sentences.gettext(key) != key


def _filled(key: str, sentence: str, values: dict[str, object]) -> Markup:
    if sentence == key:  # gettext's way to say that there is none
        raise KeyError(key)
    return Markup(sentence).format(**values)  # noqa: S704 - the sentence is ours; format() escapes the rest


ENGLISH: Final = Catalogue("en")
