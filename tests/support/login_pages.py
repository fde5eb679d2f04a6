"""Going through a provider's own login pages, as a browser without scripts would."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx2

_MOST_STEPS: Final = 12


@dataclass(slots=True)
class Form:
    """A form of a page: where it is posted, and the fields that nobody sees, with their values."""

    action: str
    hidden: dict[str, str]


class _Forms(HTMLParser):
    """The forms of a page that are posted, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self.found.append(Form(given.get("action", ""), {}))
        elif tag == "input" and given.get("type") == "hidden" and self.found and "name" in given:
            self.found[-1].hidden[given["name"]] = given.get("value", "")


def forms(page: str) -> list[Form]:
    """Return the forms of a page that are posted."""
    parser = _Forms()
    parser.feed(page)
    return parser.found


def provider_browser(trust: ssl.SSLContext | None = None) -> httpx2.Client:
    """Return a browser with an empty jar for a provider's pages; close it.

    Args:
        trust: for a provider that speaks TLS.
    """
    return httpx2.Client(verify=trust or True, trust_env=False, timeout=30)


def way_back(location: str, typed: Mapping[str, str], *, trust: ssl.SSLContext | None = None) -> str:
    """Go through a login with an empty jar; see `walk`."""
    with provider_browser(trust) as browser:
        return walk(browser, location, typed)


def walk(browser: httpx2.Client, location: str, typed: Mapping[str, str]) -> str:
    """Follow a provider's redirects, fill in its forms, and return the first address on another port.

    Args:
        browser: keeps the provider's cookies.
        location: where the daemon sent the browser.
        typed: what the person types or presses, by field; every form gets all of it.
    """
    port = urlsplit(location).port
    answer = browser.get(location)
    for _ in range(_MOST_STEPS):
        if answer.is_redirect:
            target = urljoin(str(answer.url), answer.headers["location"])
            if urlsplit(target).port != port:
                return target
            answer = browser.get(target)
        elif found := forms(answer.text):
            action = urljoin(str(answer.url), found[0].action)
            answer = browser.post(action, data={**found[0].hidden, **typed})
        else:
            text = re.sub(r"<[^>]+>|\s+", " ", answer.text)
            raise AssertionError(f"the provider answered {answer.status_code}: {text[:500]}")
    raise AssertionError(f"no way back from the provider after {_MOST_STEPS} steps")
