"""`providers`: which ways to log in are configured, what to enter at each, and whether each works.

Owns the commands and their manual. What a trial asks a provider is in `provider_trial.py`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from identity.cli import operator_service as operator
from identity.cli.failing import CommandFailed, MisusedCommand
from identity.cli.options import JSON, YES, change_options, config_option
from identity.cli.saying import aligned, answer, say
from identity.errors import ConfigError
from options.secret import Secret

if TYPE_CHECKING:
    from identity.accounts.store import ProviderPin
    from identity.cli.provider_registration import Unregistered
    from identity.config import Config
    from identity.config.model import ProviderSection
    from providers.base import Provider
    from providers.registration import RegisteredClient


_FRESH: Final = {
    True: "yes: an application may send people to /login?max_age=…",
    False: "no: /login?max_age=… cannot be answered through it",
}


@click.group(no_args_is_help=True)
def providers() -> None:
    """List login providers, show what to enter at their consoles, and try them.

    NAME is what stands behind "provider:" in the configuration.

    \b
    Examples:
      identityd.py providers list
      identityd.py providers show google       the addresses to enter at Google, with the link
      identityd.py providers register social   registers at a Mastodon instance, or by RFC 7591
      identityd.py providers test google       discovery and a dry run; says what is wrong
      identityd.py providers test              all of them

    \b
    Exit codes:
      0    in order
      1    a provider does not work, or the account store is away
      2    the configuration or the command line is wrong
    """  # noqa: D301 - click knows a paragraph to keep by this very character


@providers.command(name="list", short_help="Show which are configured, and what their names stand for.")
@config_option
@JSON
def list_providers(path: Path, *, as_json: bool) -> None:
    """Show the configured providers, one a line: name, kind, label, state, the issuer the name is pinned to, tokens.

    "not pinned" means that no login went through it yet.

    \b
    Example:
      identityd.py providers list
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    read = operator.configured(path)
    pins = _seen(read)
    listed = [_entry(read, section, pins.get(section.name)) for section in read.providers]
    answer({"providers": listed}, "\n".join(aligned([_row(entry) for entry in listed])), as_json=as_json)


@providers.command(short_help="Show what to enter at the provider.")
@config_option
@click.argument("name")
@JSON
def show(path: Path, name: str, *, as_json: bool) -> None:
    """Show what to enter at the console of NAME, where an application is registered, and what identifies people.

    \b
    Example:
      identityd.py providers show google
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    read = operator.configured(path)
    section = _section(read, name)
    entry = _entry(read, section, _seen(read).get(name)) | _registration(read, section)
    if as_json:
        answer(entry, as_json=True)
        return
    say(f"{name}: {entry['label']}, kind {entry['kind']}, {'on' if entry['enabled'] else 'switched off'}")
    if entry["console"]:
        say(f"  register an application at   {entry['console']}")
    say(f"  callback address             {entry['callback']}")
    for what, address in entry["logout"].items():
        say(f"  {what:<28} {address}")
    if entry["security_events"]:
        say(f"  security events address      {entry['security_events']}")
        say(f"  how to register that         docs/providers.md, section {entry['kind']}")
    say(f"  scopes                       {entry['scope'] or 'none'}")
    say(f"  client                       {entry['client'] or 'none'}")
    say(f"  a person is known by         {entry['subject']} of {entry['issuer']}")
    pin = entry["pinned"]
    say(f"  proves fresh logins          {_FRESH[entry['proves_fresh_logins']]}")
    say(f"  pinned                       {pin['at'] if pin else 'at the first login'}")
    say(f"  tokens                       {_tokens(entry)}")


@providers.command(short_help="Register a client at the provider, where it can be done by program.")
@config_option
@click.argument("name")
@click.option("--client-name", help="What people read when they are asked whether to log in; default: the public host.")
@click.option(
    "--initial-token-file",
    type=click.Path(path_type=Path),
    help="Holds the initial access token, for a provider that does not register everybody (RFC 7591).",
)
@click.option("--print-secret", is_flag=True, help="Print the secret instead of writing it into client_secret_file.")
@JSON
def register(path: Path, name: str, *, client_name: str | None, print_secret: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Register this daemon at NAME, whose section has no client_id yet, and print the lines it still needs.

    At a Mastodon instance (kind mastodon) nothing is needed for it; an OpenID provider (kind oidc) must name a
    registration_endpoint. The secret is written into the file that client_secret_file names, which must not be
    there yet; run this as the user that the daemon runs as. What is registered already is left alone.

    \b
    Example, for a section with "kind = mastodon", "url = https://…", "client_secret_file = social.secret":
      identityd.py providers register social
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import provider_registration as registration
    from identity.clock import moment
    from identity.types import SECOND

    token = _initial_token(given["initial_token_file"])
    waiting = registration.unregistered(path, name, printed=print_secret)
    client = registration.register(waiting, client_name or waiting.read.server.public_url.host, token)
    if given["as_json"]:
        answer(_registered(waiting, client), as_json=True)
        return
    say(f"{name}: registered, with the callback address {waiting.callback}", err=True)
    if waiting.secret_file:
        say(f"The secret is in {waiting.secret_file}.", err=True)
    if client.expires_at:
        say(f"The secret expires at {moment(client.expires_at * SECOND)}; register anew before.", err=True)
    say(f"Write into [provider:{name}]:", err=True)
    for option, text in {"client_id": client.client_id, **client.more}.items():
        say(f"{option} = {text}")
    if waiting.secret_file is None:
        say(f"client_secret = {client.client_secret.text()}")


@providers.command(short_help="Try them, and say what is wrong.")
@config_option
@click.argument("name", required=False)
@JSON
def test(path: Path, name: str | None, *, as_json: bool) -> None:
    """Try a provider without a person: discovery, keys, the authorisation endpoint, and a code that was made up.

    A provider that refuses the code, and not the client, knows client and secret. Nothing is logged in. One line
    for each thing: "ok", "warning" (could not be found out) or "problem". Without NAME, all that are switched on.

    \b
    Example:
      identityd.py providers test google
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import provider_trial
    from identity.cli.findings import report

    read = operator.configured(path)
    sections = [_section(read, name)] if name else [each for each in read.providers if each.enabled]
    if not sections:
        raise click.ClickException("no provider is configured and switched on; docs/providers.md lists the kinds")
    if report(provider_trial.of(read, sections), as_json=as_json):
        raise SystemExit(1)


@providers.command(short_help="Forget which issuer a name stands for.")
@config_option
@click.argument("name")
@change_options
@YES
@JSON
def release(path: Path, name: str, *, yes: bool, **given: Any) -> None:  # noqa: ANN401 - who and why
    """Forget which issuer NAME stands for, so that the next login through it says so anew.

    Only for the same people at another address (a GitLab that moved): every person who has the same id
    at the new issuer enters the accounts of those who had it at the old one. Stop every daemon first.

    \b
    Example:
      identityd.py providers release gitlab --reason "moved to git.example.com, same database"
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.admin.provider_pins import ProviderUnpinned
    from identity.cli import prompts
    from identity.operating import open_pins

    read = operator.configured(path)
    by = operator.changer(given, yes=yes)
    with operator.opened_stores(read, open_pins) as pins:
        pin = pins.pin(name)
        if pin is None:
            raise CommandFailed(
                f"{name} is not pinned: no login went through it yet. Nothing was changed.", "provider-unpinned"
            )
        effect = f"{name} no longer stands for {pin.subject} of {pin.issuer}; the next login pins it anew."
        prompts.confirm(effect, yes=yes)
        if isinstance(pins.release(name, by), ProviderUnpinned):
            raise CommandFailed(f"{name} was changed by another command meanwhile. Nothing was changed.", "changed")
    answer({"name": name, "issuer": pin.issuer, "subject": pin.subject}, effect, as_json=given["as_json"])


def _registered(waiting: "Unregistered", client: "RegisteredClient") -> dict[str, Any]:
    """Return what is registered; with the secret only where it is printed."""
    return {
        "name": waiting.section.name,
        "callback": waiting.callback,
        "client_id": client.client_id,
        **client.more,
        "client_secret_file": waiting.secret_file and str(waiting.secret_file),
        "client_secret": None if waiting.secret_file else client.client_secret.text(),
        "secret_expires_at": client.expires_at,
    }


def _initial_token(path: Path | None) -> Secret:
    from identity.config import files

    if path is None:
        return Secret("")
    try:
        token = files.read_secret(path)
    except ValueError as error:
        raise click.ClickException(f"--initial-token-file: {error}") from None
    if not (token.isascii() and token.isprintable() and " " not in token and token):
        raise click.ClickException(f"--initial-token-file: {path} holds no token")
    return Secret(token)


def _section(read: "Config", name: str) -> "ProviderSection":
    for section in read.providers:
        if section.name == name:
            return section
    known = ", ".join(each.name for each in read.providers) or "none"
    raise MisusedCommand(f"no provider is called {name}; configured: {known}", "unknown-provider")


def _seen(read: "Config") -> "dict[str, ProviderPin]":
    """Return the pins there are; none, said on standard error, where the store is away or not made yet."""
    from identity.operating import open_pins

    found = {}
    try:
        with operator.opened_stores(read, open_pins) as pins:
            found = {each.name: pin for each in read.providers if (pin := pins.pin(each.name))}
    except ConfigError as error:
        say(f"What is pinned is not known: {error.detail}", err=True)
    except click.ClickException as error:
        say(f"What is pinned is not known: {error.message}", err=True)
    return found


def _entry(read: "Config", section: "ProviderSection", pin: "ProviderPin | None") -> dict[str, Any]:
    from identity.clock import moment
    from providers import REGISTRY

    return {
        "name": section.name,
        "kind": section.kind,
        "label": section.label or REGISTRY[section.kind].label,
        "enabled": section.enabled,
        "pinned": pin and {"issuer": pin.issuer, "subject": pin.subject, "at": moment(pin.pinned_at)},
        "keep_tokens": section.keep_tokens,
        "tokens_for": [app.id for app in read.apps if section.name in app.tokens_of],
    }


def _tokens(entry: dict[str, Any]) -> str:
    if not entry["keep_tokens"]:
        return "not kept"
    return f"kept for {', '.join(entry['tokens_for']) or 'no application'}"


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    pin = entry["pinned"]
    pinned = f"{pin['subject']} of {pin['issuer']}" if pin else "not pinned"
    state = "on" if entry["enabled"] else "off"
    return entry["name"], entry["kind"], entry["label"], state, pinned, f"tokens {_tokens(entry)}"


def _registration(read: "Config", section: "ProviderSection") -> dict[str, Any]:
    from identity.outside import site
    from providers import REGISTRY, build, scope_of
    from providers.base import ProvesLogins, callback_address

    public_url = str(read.server.public_url)
    provider = build(section.kind, section.name, section.options, site=site(read))
    scope = scope_of(section.kind, section.options)
    client, asked = _client(section.options)
    return {
        "console": REGISTRY[section.kind].console,
        "callback": callback_address(public_url, section.name),
        "logout": dict(_logout(provider, public_url)),
        "security_events": _events(provider, public_url),
        "proves_fresh_logins": isinstance(provider, ProvesLogins) and provider.proves_fresh_login,
        "scope": asked,
        "client": client,
        "issuer": scope.issuer,
        "subject": scope.subject,
    }


def _client(options: object) -> tuple[str, str]:
    """Return as whom this daemon is registered there, and the scope it asks for; empty where there is none."""
    from providers.kind import ClientOptions, ConsumerOptions

    match options:
        case ClientOptions():
            return options.client_id, " ".join(options.scope)
        case ConsumerOptions():
            return options.consumer_key, ""
        case _:
            return "", ""


def _logout(provider: "Provider", public_url: str) -> Iterator[tuple[str, str]]:
    """Yield the addresses by which logging out there and here are joined, as far as that is switched on."""
    from providers.base import EndsSessions, FramesLogouts, LogoutThere, TellsLogouts

    base = f"{public_url}/login/{provider.name}"
    if isinstance(provider, TellsLogouts) and provider.tells_logouts:
        yield "back-channel logout address", f"{base}/backchannel"
    if isinstance(provider, FramesLogouts) and provider.logout_frame:
        yield "front-channel logout address", f"{base}/frontchannel"
    if isinstance(provider, EndsSessions) and provider.logout_there is not LogoutThere.NO:
        yield "after logging out there", f"{public_url}/logged-out"


def _events(provider: "Provider", public_url: str) -> str:
    """Return where the provider tells of security events; empty where that is not switched on."""
    from providers.security_notices import TellsSecurityEvents

    told = isinstance(provider, TellsSecurityEvents) and provider.security_events
    return f"{public_url}/login/{provider.name}/events" if told else ""
