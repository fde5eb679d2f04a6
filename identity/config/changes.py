"""What differs between the configuration a daemon runs with and the one in its file, and what may be taken of it.

Owns the decision alone; pure. Names options, never a value. Whether an option may change under a running
daemon is said where it is declared (`live`).

| what differs | taken now |
|---|---|
| an option that is `live` | yes |
| an option that is not | no: the daemon goes on with the old value until it is restarted |
| `[app:…]`, `[provider:…]`, `[group:…]`: one added, removed, or any option of one | yes |
| `[server] tls_certificate` where there was none, or none where there was one | no: the listeners are others |
| `[server] public_url` | no, and nothing else either: addresses of applications and providers follow from it |
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

from identity.applications.application import Application
from identity.config.model import APP, GROUP, PROVIDER, SECTIONS, Config, ProviderSection, ServerSection
from options.option import Option, options_of
from options.secret import Secret

T = TypeVar("T")

_TLS: Final = ("tls_certificate", "tls_key")
_SECRETS: Final = ("secret", "second_secret")


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs."""

    config: Config
    """What the daemon may run with now: the new one, with the old values of what waits."""
    now: tuple[str, ...]
    """What is taken now, each as `[section] option changed`."""
    waiting: tuple[str, ...]
    """What waits for a restart, each as `[section] option`."""


def compare(running: Config, read: Config) -> Changes:
    """Return what differs, and what may be taken of it, by the table above."""
    now, waiting = [], []
    for section, option in _differing(running, read):
        named = f"[{section}] {option.name}"
        if option.live and not _listens_otherwise(running.server, read.server, option):
            now.append(f"{named} changed")
        else:
            waiting.append(named)
    families = tuple(_families(running, read))
    if running.server.public_url != read.server.public_url:
        words = (line.rpartition(" ")[0] for line in (*now, *families))
        return Changes(running, (), (*waiting, *words))
    return Changes(_merged(running, read), (*now, *families), tuple(waiting))


def providers_alike(before: Config, after: Config) -> frozenset[str]:
    """Return the providers that are configured alike, and called alike: what one of them remembers still holds."""
    if any(section == "outbound" for section, _ in _differing(before, after)):
        return frozenset()
    known = {each.name: each for each in before.providers}
    return frozenset(
        each.name for each in after.providers if each.name in known and not any(_of_provider(known[each.name], each))
    )


def _differing(running: Config, read: Config) -> Iterator[tuple[str, Option]]:
    for name, cls in SECTIONS.items():
        for option in options_of(cls):
            if not _same(getattr(getattr(running, name), option.field), getattr(getattr(read, name), option.field)):
                yield name, option


def _merged(running: Config, read: Config) -> Config:
    kept: dict[str, dict[str, object]] = {}
    for name, option in _differing(running, read):
        if not option.live or _listens_otherwise(running.server, read.server, option):
            kept.setdefault(name, {})[option.field] = getattr(getattr(running, name), option.field)
    sections = {name: replace(getattr(read, name), **values) for name, values in kept.items()}
    return replace(read, **sections, demo=running.demo)


def _listens_otherwise(before: ServerSection, after: ServerSection, option: Option) -> bool:
    return option.field in _TLS and before.tls != after.tls


def _families(running: Config, read: Config) -> Iterator[str]:
    providers = ({each.name: each for each in config.providers} for config in (running, read))
    for name, before, after in _pairs(*providers):
        yield from _section(f"[{PROVIDER}:{name}]", before, after, _of_provider(before, after))
    for name, old, new in _pairs(*({str(each.id): each for each in config.apps} for config in (running, read))):
        yield from _section(f"[{APP}:{name}]", old, new, _of_application(old, new))
    for name, left, right in _pairs(running.groups, read.groups):
        yield from _section(f"[{GROUP}:{name}]", left, right, () if left == right else ("members",))


def _pairs(before: Mapping[str, T], after: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    return ((name, before.get(name), after.get(name)) for name in dict.fromkeys((*before, *after)))


def _section(name: str, before: object, after: object, options: Sequence[str] | Iterator[str]) -> Iterator[str]:
    if before is None or after is None:
        yield f"{name} {'added' if before is None else 'removed'}"
    else:
        yield from (f"{name} {option} changed" for option in options)


def _of_provider(before: ProviderSection | None, after: ProviderSection | None) -> Iterator[str]:
    if before is None or after is None:
        return
    parts = [(before, after), *([(before.options, after.options)] if before.kind == after.kind else [])]
    for old, new in parts:
        for option in options_of(type(old)):
            if not _same(getattr(old, option.field), getattr(new, option.field)):
                yield option.name


def _of_application(before: Application | None, after: Application | None) -> Iterator[str]:
    if before is None or after is None:
        return
    for place, name in enumerate(_SECRETS):
        if not _same(before.secrets[place : place + 1], after.secrets[place : place + 1]):
            yield name
    for each in fields(Application):
        if each.name != "secrets" and getattr(before, each.name) != getattr(after, each.name):
            yield each.name


def _same(one: object, other: object) -> bool:
    """Compare values, secrets too, which compare with nothing by themselves."""
    if isinstance(one, Secret) and isinstance(other, Secret):
        return hmac.compare_digest(one.reveal(), other.reveal())
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other
