"""What a sibling host can put into a browser's jar to pass for one of our cookies (THREATS 47).

Each case is a cookie that `Set-Cookie` with `Domain=` can set, as another name or a longer value, so
that `__Host-` does not stop it. Owns the cases; who runs them decides what must stay as it is.
"""

from collections.abc import Mapping
from typing import Final

_UNICODE: Final = ("\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u202f", "\u3000", "\ufeff", "\u200b")
_CONTROLS: Final = ("\x0b", "\x0c", "\r", "\n", "\x1c", "\x1d", "\x1e", "\x1f", "\x00", "\x7f")


def as_received(text: str) -> str:
    """Return text as a server sees it that reads the bytes of UTF-8 as Latin-1."""
    return text.encode().decode("latin-1")


BLANKS: Final = (*_UNICODE, *map(as_received, _UNICODE), *_CONTROLS)
"""Characters that programs trim and browsers do not, as text, and as tornado receives them."""


def disguised(name: str, value: str) -> Mapping[str, str]:
    """Return spellings of our cookie inside a foreign one, by what they rely on: `name=value` of one cookie each."""
    plain = {
        "comma": f"t=1,{name}={value}",
        "comma and blank": f"t=1, {name}={value}",
        "comma in the name": f"t,{name}={value}",
        "comma first": f",{name}={value}",
        "comma last": f"t=1,{name}={value},",
        "quoted comma": f't="1,{name}={value}"',
        "quotes around the name": f'"{name}"={value}',
        "blank in the value": f"t=1 {name}={value}",
        "ampersand": f"t=1&{name}={value}",
        "encoded semicolon": f"t=1%3B{name}={value}",
        "another case": f"{name.replace('__Host-', '__HOST-')}={value}",
        "longer name": f"x{name}={value}",
        "version": f"$Version=1,{name}={value}",
        "twice": f"t=1,{name}={value},{name}={value}",
    }
    return plain | {f"U+{ord(blank):04X} first": f"{blank}{name}={value}" for blank in _UNICODE}
