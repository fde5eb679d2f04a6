"""What the pages show of the operator: name, logo, colour, whom to ask; and of applications, their names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from identity.config import load, parse
from identity.config.files import branding_of
from identity.errors import ConfigError
from identity.web.pages import STYLESHEET, Pages
from identity.web.pages.branding import LOGO, LOGO_BYTES, Branding, Contact, Logo, contact_of, logo_of
from tests.support.account_site import text
from tests.support.application_hosts import LOGIN, SHOP, SHOP_APP, WIKI, ApplicationHosts
from tests.support.clock import ManualClock
from tests.support.logins import form_of
from tests.support.web import APP, LOCAL
from tests.support.web import Site as Daemon

PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(64)
OURS: Final = Branding("Example Login", contact_of("help@example.com"), logo_of(PNG))
PAGE: Final = f"{WIKI}/page?x=1"


@pytest.mark.parametrize(
    ("begins", "media_type"),
    [(PNG, "image/png"), (b"\xff\xd8\xff\xe0JFIF", "image/jpeg"), (b"RIFF\n\x00\x00\x00WEBPVP8 ", "image/webp")],
)
def test_a_picture_is_known_by_what_it_holds(begins: bytes, media_type: str) -> None:
    """A name says what somebody called a file."""
    assert logo_of(begins).media_type == media_type


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "is SVG, which can hold scripts"),
        (b"<?xml version='1.0'?>\n<!-- logo -->\n<SVG/>", "is SVG"),
        (b"<!doctype html><script>", "is no PNG, JPEG or WebP"),
        (b"GIF89a", "is no PNG, JPEG or WebP"),
        (b"", "is no PNG, JPEG or WebP"),
        (b" " + PNG, "is no PNG, JPEG or WebP"),
        (PNG + bytes(LOGO_BYTES), "is larger than 128 KiB"),
    ],
)
def test_what_is_no_small_picture_is_refused(body: bytes, problem: str) -> None:
    """A document of this origin would be served to every person who logs in, or megabytes to each."""
    with pytest.raises(ValueError, match=problem):
        logo_of(body)


@pytest.mark.parametrize(
    ("given", "contact"),
    [
        ("help@example.com", Contact("help@example.com", "mailto:help@example.com")),
        ("a&b@example.com", Contact("a&b@example.com", "mailto:a%26b@example.com")),
        ("https://help.example.com/login?x=1", Contact("https://help.example.com/login?x=1", "https://help.example.com/login?x=1")),
        ("Call Ada, room 4, phone 12 34", Contact("Call Ada, room 4, phone 12 34")),
        ("javascript:alert(1)", Contact("javascript:alert(1)")),
        ("Ask at https://help.example.com", Contact("Ask at https://help.example.com")),
    ],
)  # fmt: skip
def test_a_contact_is_a_link_where_it_is_an_address(given: str, contact: Contact) -> None:
    """A person would have to copy the address by hand; anything else must never lead anywhere."""
    assert contact_of(given) == contact


@pytest.mark.parametrize("given", ["http://example.com", "javascript://x", "https://a b", "x" * 201, "two\nlines"])
def test_a_contact_that_leads_nowhere_safe_is_refused(given: str) -> None:
    """A mistyped address would stand on every error page."""
    with pytest.raises(ValueError, match=r"https address|one line"):
        contact_of(given)


def configured(folder: Path, section: str, *, url: str = "https://login.example.com") -> Branding:
    """Return what the pages show with this section; `logo.png` is there."""
    (folder / "logo.png").write_bytes(PNG)
    (folder / "logo.svg").write_text("<svg/>")
    given = f"[server]\npublic_url = {url}\n[site]\n{section}"
    return branding_of(parse(given, base=folder))


def test_what_is_configured_is_shown(tmp_path: Path) -> None:
    """An option that does nothing is worse than none."""
    given = "name = Example Login\nlogo = logo.png\ncolour = #B00020\ncontact = help@example.com\n"

    site = configured(tmp_path, given)

    assert (site.name, site.logo, site.contact) == ("Example Login", Logo(PNG, "image/png"), OURS.contact)
    assert b"--accent: #b00020" in site.stylesheet.body


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://login.example.com", "login.example.com"), ("http://localhost:8887", "identityd")],
)
def test_without_configuration_the_name_is_the_host(tmp_path: Path, url: str, name: str) -> None:
    """A person knows the address in the bar, and no program called identityd."""
    assert configured(tmp_path, "", url=url) == Branding(name)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("logo = logo.svg", r"\[site\] logo: .*logo.svg is SVG"),
        ("logo = missing.png", r"\[site\] logo: .*missing.png cannot be read"),
        ("colour = blue", r"\[site\] colour: 'blue' is not a colour like #1f4e8c"),
        ("contact = http://example.com", r"\[site\] contact: 'http://example.com' is no https address"),
        (f"name = {'x' * 65}", r"\[site\] name: needs text of at most 64 characters"),
        ("color = #000000", r"\[site\] color: "),
    ],
)
def test_what_cannot_be_shown_refuses_to_start(tmp_path: Path, line: str, problem: str) -> None:
    """People would see a broken picture, and the operator would hear of it from them."""
    with pytest.raises(ConfigError, match=problem):
        configured(tmp_path, f"{line}\n")


def test_check_config_reads_the_logo(tmp_path: Path) -> None:
    """It would say that all is well, and the daemon would not start."""
    (tmp_path / "identityd.ini").write_text("[site]\nlogo = logo.svg\n")
    (tmp_path / "logo.svg").write_text("<svg/>")

    with pytest.raises(ConfigError, match=r"\[site\] logo: .*is SVG"):
        load(tmp_path / "identityd.ini", environ={})


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """Give a daemon with an operator's face."""
    with Daemon(changes={"pages": Pages(clock=ManualClock(), site=OURS)}) as made:
        yield made


def test_every_page_bears_the_name_and_the_logo(daemon: Daemon) -> None:
    """A person who is asked to log in would not know to what."""
    page = daemon.public("GET", "/login").body.decode()

    assert "<title>Log in · Example Login</title>" in page
    assert f'<img class="logo" src="{OURS.favicon}" alt=""><span>Example Login</span>' in page
    assert f'<link rel="icon" href="{OURS.favicon}">' in page


def test_the_logo_is_served_as_the_picture_it_is(daemon: Daemon) -> None:
    """Under another type a browser would guess, and from another host the policy would have to be opened."""
    kept, asked_again = daemon.public("GET", OURS.favicon), daemon.public("GET", f"{LOGO}?v=older")

    assert (kept.status, kept.body, kept.one("Content-Type")) == (200, PNG, "image/png")
    assert kept.one("X-Content-Type-Options") == "nosniff"
    assert kept.one("Cache-Control") == "public, max-age=31536000, immutable"
    assert asked_again.one("Cache-Control") == "no-cache"
    assert daemon.public("HEAD", OURS.favicon).body == b""


def test_without_a_logo_there_is_none_to_ask_for() -> None:
    """An empty picture would be kept for a year."""
    with Daemon() as plain:
        assert plain.public("GET", LOGO).status == 404
        assert plain.public("GET", STYLESHEET.url).body == STYLESHEET.body


def test_an_error_says_whom_to_ask(daemon: Daemon) -> None:
    """The page sends people to those who run the site, and does not say where they are."""
    page = daemon.public("GET", "/nothing-here").body.decode()

    assert 'Questions? <a href="mailto:help@example.com">help@example.com</a>' in page


# --- applications by their names


@pytest.fixture(scope="module")
def running_sites() -> Iterator[ApplicationHosts]:
    """Give a login host and two applications that have names, and one of them a markup in it."""
    made = ApplicationHosts(trusted=(LOCAL,), labels={APP: "Wiki", SHOP_APP: "Shop <b>"})
    with made:
        yield made


def test_the_login_page_says_where_it_leads_by_name(sites: ApplicationHosts) -> None:
    """A host with a port says nothing to the person who clicked on Wiki."""
    assert "to go on to Wiki ." in text(sites.browser().go(PAGE))


def test_the_account_page_leads_back_to_the_applications_by_name(sites: ApplicationHosts) -> None:
    """A person who came from one is lost on the login's own page."""
    browser = sites.browser()
    browser.enter(PAGE)
    browser.go(SHOP)

    page = browser.get(f"{LOGIN}/account").body.decode()

    assert f'<a href="{SHOP}/">Shop &lt;b&gt;</a>, <a href="{WIKI}/">Wiki</a>' in page
    assert "wiki.example," not in page


@pytest.mark.parametrize("page", ["/account", "/logout"])
def test_a_page_that_an_application_leads_to_leads_back(sites: ApplicationHosts, page: str) -> None:
    """The way back would be the browser's, past whatever was done in between."""
    browser = sites.browser()
    browser.enter(PAGE)

    assert (
        f'href="{WIKI}/page?x=1">Back to Wiki</a>'
        in browser.get(f"{LOGIN}{page}?return_to=https%3A%2F%2Fwiki.example%2Fpage%3Fx%3D1").body.decode()
    )
    assert "Back to" not in text(browser.get(f"{LOGIN}{page}?return_to=https%3A%2F%2Fevil.example%2F"))


def test_leaving_an_application_speaks_of_it_by_name(sites: ApplicationHosts) -> None:
    """The person would have to know which of all hosts is meant."""
    browser = sites.browser()
    browser.enter(PAGE)
    browser.go(SHOP)

    page = browser.get(f"{WIKI}/.identityd/logout")
    asked, whole = text(page), text(browser.get(f"{LOGIN}/logout"))
    done = text(browser.send(f"{WIKI}/.identityd/logout", form_of(page)))

    assert "Log out of Wiki?" in asked
    assert "You opened these with the same login: Shop <b>." in asked
    assert "Back to Wiki" in asked
    assert "also logs you out of Shop <b>, Wiki." in whole
    assert "You are logged out of Wiki only" in done


def test_an_error_on_an_applications_host_leads_back_to_it(sites: ApplicationHosts) -> None:
    """The only way on would be the login's own front page."""
    page = sites.browser().get(f"{WIKI}/.identityd/start?code=worthless")

    assert page.status == 400
    assert '<a class="button" href="/">Back to Wiki</a>' in page.body.decode()
