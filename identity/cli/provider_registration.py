"""`providers register`: a client registered at its provider by program, and its secret put where it is read from.

Owns the order: whatever could make the answer useless is found out first, because a secret is told once. Only a
section that has neither client nor secret is registered, so that a command that is given twice does it once.
Invariant: a secret goes to a file that only its owner can read, and to no output unless that is asked for.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from identity.cli.files import folder_lock, write_new
from options.secret import Secret
from providers.base import ProviderBroken, callback_address
from providers.registration import ClientToRegister, RegisteredClient

if TYPE_CHECKING:
    from identity.config import Config
    from identity.config.model import ProviderSection

_NOT_YET: Final = "not-registered-yet"
"""Stands in the section's place for what is to come, so that the rest of it can be read and checked."""


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A section that waits for its client."""

    read: "Config"
    section: "ProviderSection"
    secret_file: Path | None
    """Where the secret goes; None: it is printed."""

    @property
    def callback(self) -> str:
        """The address that is registered."""
        return callback_address(str(self.read.server.public_url), self.section.name)


def unregistered(path: Path, name: str, *, printed: bool) -> Unregistered:
    """Read the section of a provider that has no client yet.

    Raises:
        UsageError: there is no such section, or it does not say where the secret goes.
        ClickException: it has a client already, or its kind is registered by people only.
        ConfigError: something else in the configuration is wrong.
    """
    from identity import config
    from identity.config import files, ini

    given = {section.name: section.values for section in ini.read(files.read_configuration(path))[0]}
    said = given.get(f"provider:{name}")
    if said is None:
        known = ", ".join(each.partition(":")[2] for each in given if each.startswith("provider:")) or "none"
        raise click.UsageError(f"no provider is called {name}; configured: {known}")
    _refuse_registered(name, said)
    secret_file = _secret_file(name, said, base=path.parent, printed=printed)
    stand_in = {f"provider:{name}.{option}": _NOT_YET for option in ("client_id", "client_secret")}
    read = config.load(path, environ=os.environ, overrides=stand_in, demo=True)
    section = next(each for each in read.providers if each.name == name)
    return Unregistered(read, section, secret_file)


def register(waiting: Unregistered, client_name: str, initial_token: Secret) -> RegisteredClient:
    """Register the client, and put its secret into the section's file. Raises ClickException."""
    with ExitStack() as held:
        if waiting.secret_file:
            _hold_room(waiting.secret_file, held)
        try:
            client = asyncio.run(_registered(waiting, client_name, initial_token))
        except ProviderBroken as error:
            raise click.ClickException(f"{waiting.section.name}: {error}. Nothing was stored.") from None
        if waiting.secret_file:
            try:
                write_new(waiting.secret_file, client.client_secret.text() + "\n")
            except OSError as error:
                raise click.ClickException(
                    f"{waiting.secret_file} cannot be written ({error.strerror}), so the secret is lost; register "
                    f"anew, and remove the client {client.client_id} at the provider"
                ) from None
    return client


async def _registered(waiting: Unregistered, client_name: str, initial_token: Secret) -> RegisteredClient:
    from identity.outbound.client import OutboundClient
    from identity.outside import outbound_rules
    from providers import REGISTRY

    read, section = waiting.read, waiting.section
    told = ClientToRegister(
        name=section.name,
        public_url=str(read.server.public_url),
        client_name=client_name,
        initial_token=initial_token,
    )
    register_there = REGISTRY[section.kind].register
    if register_there is None:
        raise ProviderBroken(f"a client of kind {section.kind} is registered by people")
    outbound = OutboundClient(outbound_rules(read))
    try:
        return await register_there(section.options, told, outbound.for_provider(section.name))
    finally:
        await outbound.aclose()


def _refuse_registered(name: str, said: Mapping[str, str]) -> None:
    from identity.config.sources import variable
    from providers import REGISTRY

    kind = said.get("kind", "")
    if kind in REGISTRY and REGISTRY[kind].register is None:
        console = REGISTRY[kind].console
        where = f" at {console}" if console else ""
        raise click.ClickException(
            f"a client of kind {kind} is registered by people{where}; `providers show {name}` says what to enter"
        )
    if said.get("client_auth") == "private_key_jwt":
        raise click.ClickException(f"{name} proves itself with a key; register it by hand, with that key")
    in_environment = variable(f"provider:{name}", "client_secret")
    has = [option for option in ("client_id", "client_secret") if said.get(option)]
    has += [each for each in (in_environment, f"{in_environment}_FILE") if each in os.environ]
    if has:
        raise click.ClickException(
            f"{name} has a client already ({', '.join(has)}). Nothing was registered; take it out to register anew"
        )


def _secret_file(name: str, said: Mapping[str, str], *, base: Path, printed: bool) -> Path | None:
    named = said.get("client_secret_file", "")
    if printed:
        return None
    if not named:
        raise click.UsageError(
            f"where does the secret go? Write client_secret_file = {name}.secret into [provider:{name}], or give "
            "--print-secret"
        )
    path = base / named
    if path.exists() or path.is_symlink():
        raise click.ClickException(
            f"{path} is there already, so {name} was registered before. Nothing was registered; remove it to register "
            "anew"
        )
    return path


def _hold_room(path: Path, held: ExitStack) -> None:
    """Keep the folder of a file to this command, and see before anything is registered that it can be written."""
    try:
        held.enter_context(folder_lock(path.parent))
    except OSError as error:
        raise click.ClickException(f"{path.parent} cannot be used: {error.strerror}. Nothing was registered.") from None
    if path.exists() or path.is_symlink():
        raise click.ClickException(f"{path} was written by another command meanwhile. Nothing was registered.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise click.ClickException(f"{path.parent} cannot be written. Nothing was registered.")
