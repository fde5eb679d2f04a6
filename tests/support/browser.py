"""What browsers of the tests share: an answer as it arrived, and a jar that keeps cookies as browsers do.

One `Jar` is for one host: every cookie of identityd is a host-only cookie (RFC 6265, section 5.3).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from identity.sessions.check import SetCookie


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        """Return the value of a header that must not be repeated."""
        found = self.all(name)
        assert len(found) <= 1, f"{name} stands {len(found)} times"
        return found[0] if found else None

    @property
    def cookies(self) -> list[str]:
        """The Set-Cookie lines."""
        return self.all("Set-Cookie")

    @property
    def ours(self) -> list[str]:
        """The Set-Cookie lines of identityd, over https."""
        return [line for line in self.cookies if line.startswith("__Host-idd")]

    def json(self) -> Any:  # noqa: ANN401, whatever was sent
        """Return the body."""
        return json.loads(self.body)


class Jar(dict[str, str]):
    """A browser's cookies of one host, value by name, in order of arrival."""

    def __init__(self, cookies: Iterable[SetCookie] = ()) -> None:
        super().__init__((cookie.name, cookie.value) for cookie in cookies)
        self.cross_site: set[str] = set()
        """Names of those that come with other sites' forms: `SameSite=None`."""
        self.below: dict[tuple[str, str], str] = {}
        """Those for a part of the host alone, by name and path; `line` has none of them."""

    @classmethod
    def of(cls, cookies: Mapping[str, str]) -> "Jar":
        """Return a jar with these cookies."""
        jar = cls()
        jar.update(cookies)
        return jar

    def take(self, reply: Reply) -> None:
        """Apply the cookies of an answer."""
        for line in reply.cookies:
            self.keep(line)

    def keep(self, line: str) -> None:
        """Apply one Set-Cookie line; what a browser refuses is refused (RFC 6265bis, sections 4.1.3 and 5.7)."""
        pair, *attributes = (part.strip() for part in line.split(";"))
        name, _, value = pair.partition("=")
        given = dict(_attribute(text) for text in attributes)
        if name.startswith("__Host-") and ("secure" not in given or given.get("path") != "/" or "domain" in given):
            return
        if name.startswith("__Secure-") and "secure" not in given:
            return
        if given.get("path", "/") != "/":
            self._keep_below(name, value, given)
            return
        across = given.get("samesite", "").lower() == "none"
        if across and "secure" not in given:
            return
        (self.cross_site.add if across else self.cross_site.discard)(name)
        if _over(given):
            self.pop(name, None)
        else:
            self[name] = value

    def _keep_below(self, name: str, value: str, given: Mapping[str, str]) -> None:
        """Apply a cookie that comes with requests below its path alone."""
        if _over(given):
            self.below.pop((name, given["path"]), None)
        else:
            self.below[name, given["path"]] = value

    def header_for(self, address: str) -> dict[str, str]:
        """Return the Cookie header with a request of our own pages for this path, if there are cookies."""
        asked = address.partition("?")[0]
        more = [f"{name}={value}" for (name, path), value in self.below.items() if f"{asked}/".startswith(f"{path}/")]
        line = "; ".join([*more, *([self.line] if self else [])])
        return {"Cookie": line} if line else {}

    @property
    def cookies(self) -> "Jar":
        """The cookies themselves."""
        return self

    @cookies.setter
    def cookies(self, cookies: Mapping[str, str]) -> None:
        kept = dict(cookies)
        self.clear()
        self.update(kept)

    @property
    def line(self) -> str:
        """The value of the Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.items())

    @property
    def header(self) -> dict[str, str]:
        """The Cookie header, if there are cookies."""
        return {"Cookie": self.line} if self else {}

    def duplicate(self) -> "Jar":
        """Return a copy, as a thief makes one."""
        other = Jar()
        other.update(self)
        other.cross_site |= self.cross_site
        other.below |= self.below
        return other


def _over(given: Mapping[str, str]) -> bool:
    """Tell whether a cookie's attributes delete it."""
    return given.get("max-age", "1").lstrip("-0") == "" or given.get("max-age", "").startswith("-")


def _attribute(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip()
