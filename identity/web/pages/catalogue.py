"""A language: its sentences and how it counts.

Owns looking a sentence up and filling it in. Sentences are ours and may be trusted; what is
filled in comes from anywhere and is escaped. `english.py` holds the sentences; another language
is another module of the same keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All sentences of one language.

    `plural` gives the ending of the key for a number: `one` or `other` in English, more elsewhere.
    """

    language: str
    sentences: Mapping[str, str]
    plural: Callable[[int], str]
    direction: str = "ltr"

    def say(self, key: str, /, **values: object) -> Markup:
        """Return the sentence with its values escaped. Raises KeyError for an unknown key or a missing value."""
        return Markup(self.sentences[key]).format(**values)  # noqa: S704 - the sentence is ours; format() escapes the rest

    def count(self, key: str, n: int, /, **values: object) -> Markup:
        """Return the sentence for this number of things; `{n}` in it is the number."""
        return self.say(f"{key}.{self.plural(n)}", n=n, **values)

    def has(self, key: str) -> bool:
        """Tell whether there is such a sentence."""
        return key in self.sentences
