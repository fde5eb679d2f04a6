"""The sentences of a language as translators see them: its .po file, read by Babel."""

from collections.abc import Mapping
from io import BytesIO
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from identity.web.pages.catalogue import LOCALE

LANGUAGES: Final = tuple(sorted(path.stem for path in LOCALE.glob("*.po")))


def written(language: str) -> Catalog:
    """Return the catalogue as it is written; every slip in its syntax raises."""
    return read_po(BytesIO((LOCALE / f"{language}.po").read_bytes()), locale=language, abort_invalid=True)


def made(language: str) -> Catalog:
    """Return the catalogue as the daemon reads it."""
    return read_mo(BytesIO((LOCALE / f"{language}.mo").read_bytes()))


def sentences(catalogue: Catalog) -> Mapping[str, tuple[str, ...]]:
    """Return all sentences by key, one for each number the language knows where they are counted."""
    return {_key(message.id): _each(message.string) for message in catalogue if message.id}


def _key(found: str | tuple[str, ...] | list[str]) -> str:
    return found if isinstance(found, str) else found[0]


def _each(found: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else tuple(found or ())
