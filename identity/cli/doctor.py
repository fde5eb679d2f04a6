"""`doctor`: what is wrong with a running installation, and with the proxy in front of an application.

Owns the command, its manual and the order of the questions. What answers mean is in
`doctor_words.py`, requests are made by `doctor_visits.py`, the test session is
`doctor_session.py`. Invariant: whatever session was opened is ended again, and expires by itself
within minutes if the command is killed.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from identity.cli.failing import PROBLEMS, of_store
from identity.cli.options import JSON, config_option, overrides, port_options

if TYPE_CHECKING:
    from identity.cli.doctor_visits import Site
    from identity.cli.findings import Finding
    from identity.config import Config


@click.command(short_help="Try an application's proxy, and say what it breaks.")
@config_option
@port_options
@click.option("--url", help="An address of an application that the proxy guards; best a page that shows who is there.")
@click.option(
    "--ca-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Trust these certificates as well."
)
@click.option(
    "--resolve",
    "resolved",
    metavar="HOST:ADDRESS",
    multiple=True,
    help="Connect to this IP address for HOST, as before a name is switched to a new proxy; repeatable.",
)
@click.option("--as", "who", help="Your name in the audit; default: who called sudo, or the system's user.")
@JSON
def doctor(path: Path, **given: Any) -> None:  # noqa: ANN401 - options
    """Say what is wrong with a running installation, and with the proxy in front of an application.

    Asks the daemon of this configuration what it misses. With --url it then visits that address as a
    browser does, through the proxy: without a session, and with a session of a test account that
    no person can log in to. The application gets a few GET requests of the user "identityd doctor"; the
    session ends at the end, is in the audit, and can be opened only with sessions in memcached. Nothing
    else is changed, no other session ends.

    One line for each thing, as of `check-config`: "ok", "warning" or "problem". Exit code 2 if there
    is a problem, or the configuration or the command line is wrong; 1 if the stores cannot be used.

    \b
    Examples:
      identityd.py doctor
      identityd.py doctor --url https://app.example.com/profile
      identityd.py doctor --url https://app.example.com/ --resolve app.example.com:192.0.2.7
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity import config
    from identity.cli import doctor_visits, prompts
    from identity.cli.findings import report

    ports = overrides(given["port"], given["internal_port"])
    read = config.load(path, environ=os.environ, overrides=ports, demo=True)
    actor = prompts.actor(given["who"])
    site = doctor_visits.site(given["url"], given["ca_file"], given["resolved"]) if given["url"] else None
    if report(_findings(read, site, actor), as_json=given["as_json"]):
        raise SystemExit(PROBLEMS)


def _findings(read: "Config", site: "Site | None", actor: str) -> "Iterator[Finding]":
    from identity.cli import doctor_words as words
    from identity.cli.doctor_visits import readiness
    from identity.config import SessionStoreKind

    yield from words.of_daemon(readiness(read.server.internal_address, read.server.internal_port))
    if site is None:
        return
    proof = f"made-up-{secrets.token_hex(8)}"
    yield words.of_registration(site.host, read)
    first = site.ask(words.ACK)
    yield from words.of_ack(first)
    if first.trouble:
        yield words.UNREACHED
        return
    yield from _as_stranger(site, proof)
    if read.sessions.store is not SessionStoreKind.MEMCACHED:
        yield words.NO_SESSION
        return
    yield from _as_member(read, site, actor=actor, proof=proof)


def _as_stranger(site: "Site", proof: str) -> "Iterator[Finding]":
    from identity.cli import doctor_words as words

    yield from words.of_internal(site.ask(words.READY))
    yield from words.of_stranger(site.ask(site.path))
    yield from words.of_claimed_user(site.ask(site.path, words.pretended(proof)))


def _as_member(read: "Config", site: "Site", *, actor: str, proof: str) -> "Iterator[Finding]":
    """Visit with a session of the test account."""
    from identity.cli import doctor_words as words
    from identity.cli.doctor_session import trying
    from identity.errors import StoreError

    try:
        with trying(read, site.host, actor) as shown:
            passed = site.ask(site.path, words.cookie(shown.old, *words.junk(shown.prefix, words.FEW)))
            yield from words.of_member(passed)
            if not words.is_in(passed):
                return
            yield from words.of_cache(site.ask(site.path, words.cookie(shown.young)))
            yield from words.of_spoof(site.ask(site.path, [*words.pretended(proof), *words.cookie(shown.old)]), proof)
            if without := words.of_minting(site.host, read):
                yield without
            else:
                yield from words.of_cookies(passed, shown.prefix)
                yield from words.of_bounce(site.ask(site.path, words.cookie(shown.stale)), shown.prefix)
            yield from words.of_outage(site.ask(site.path, words.cookie(shown.stale, shown.newer)))
            many = site.ask(site.path, words.cookie(shown.old, *words.junk(shown.prefix, words.MANY)))
            yield from words.of_long_header(many)
    except StoreError as error:
        raise of_store("no test session could be opened", error) from None
