"""The built-in demonstration provider: invented people, no password, this machine only.

Owns the kind `demo` and its option table.
"""

from typing import Final

from providers.options import Kind, Option

OPTIONS: Final[tuple[Option, ...]] = ()

KIND: Final = Kind(
    name="demo",
    label="Demo",
    subject="the name typed, folded",
    options=OPTIONS,
)
