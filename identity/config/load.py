"""From the configuration file to a checked `Config`, or to every problem at once.

Owns the order: syntax, sections, options, what follows from others, rules, files. Each option is
read once, by the type in its description. Raises nothing but ConfigError.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from identity.applications.application import Application
from identity.config import files, ini, values
from identity.config.applications import AppSection
from identity.config.membership import GroupSection
from identity.config.model import APP, FAMILIES, GROUP, PROVIDER, SECTIONS, Config, ProviderSection, ServerSection
from identity.config.rules import PROVIDERS, RULES, WARNINGS, Rule
from identity.config.sources import Sources, suggestion
from identity.config.values import WebOrigin
from identity.errors import ConfigError
from identity.membership.rules import FactRule, ProviderRule
from identity.types import ClientId
from options.option import Option, options_of, values_of
from providers import REGISTRY

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_NOTHING: Final[Mapping[str, str]] = {}


def load(
    path: Path, *, environ: Mapping[str, str], overrides: Mapping[str, str] = _NOTHING, demo: bool = False
) -> Config:
    """Read a configuration file and check it and the files it names.

    Args:
        path: the file; relative paths in it start from its folder.
        environ: where secrets may also come from.
        overrides: text of options by `section.option`, from the command line; it stands for a file named there, too.
        demo: allows the provider kind `demo`.

    Raises:
        ConfigError: with every problem found.
    """
    text = files.read_configuration(path)
    loader = _Loader(Sources(environ, path.parent), path.parent)
    config = loader.read(text, overrides, demo=demo)
    loader.check(config, files.RULES)
    loader.give_up_if_wrong()
    return replace(config, warnings=(*config.warnings, *files.warnings_of(path, config)))


def parse(
    text: str,
    *,
    base: Path,
    environ: Mapping[str, str] = _NOTHING,
    overrides: Mapping[str, str] = _NOTHING,
    demo: bool = False,
) -> Config:
    """Check a configuration's text without opening the files it names, except secrets' own. Raises ConfigError."""
    loader = _Loader(Sources(environ, base), base)
    config = loader.read(text, overrides, demo=demo)
    loader.give_up_if_wrong()
    return config


class _Loader:
    """One reading of one text. `problems` grows; what could be read is returned all the same."""

    def __init__(self, sources: Sources, base: Path) -> None:
        self.problems: list[str] = []
        self._sources = sources
        self._base = base
        self._faulty: set[str] = set()

    def read(self, text: str, overrides: Mapping[str, str], *, demo: bool) -> Config:
        """Read everything."""
        sections, problems = ini.read(text)
        self.problems += problems
        given = {section.name: section.values for section in sections}
        for name, value in overrides.items():
            section, _, option = name.partition(".")
            given.setdefault(section, {})[option] = value
            given[section].pop(f"{option}_file", None)
        self.problems += (problem for name in given for problem in _section_problem(name))
        config = Config(
            **{name: cls(**self._values(name, options_of(cls), given.get(name, {}))) for name, cls in SECTIONS.items()},
            providers=self._providers(given),
            apps=self._apps(given),
            groups=self._groups(given),
            demo=demo,
        )
        self.problems += self._sources.unknown_variables()
        config = _completed(config, given)
        self.check(config, RULES)
        return replace(config, warnings=tuple(line for warn in WARNINGS for line in warn(config)))

    def check(self, config: Config, rules: Iterable[Rule]) -> None:
        """Ask every rule whose options could be read."""
        for rule in rules:
            if self._faulty.isdisjoint(rule.needs):
                self.problems += rule.check(config)

    def give_up_if_wrong(self) -> None:
        """Raise ConfigError if there is any problem."""
        if self.problems:
            raise ConfigError(tuple(self.problems))

    def _values(self, section: str, options: Sequence[Option], given: Mapping[str, str]) -> dict[str, Any]:
        """Read a section's options, by the name of their field; one at fault is left out."""
        texts, faults = self._sources.gather(section, options, given)
        read, unreadable = values_of((option for option in options if option.name not in faults), texts)
        self._note(section, {**faults, **unreadable})
        # Relative paths start from the configuration's folder, those that are defaults too.
        return {name: self._base / value if isinstance(value, Path) else value for name, value in read.items()}

    def _note(self, section: str, faults: Mapping[str, str]) -> None:
        self.problems += (f"[{section}] {name}: {reason}" for name, reason in faults.items())
        self._faulty.update(f"{section}.{name}" for name in faults)

    def _apps(self, given: Mapping[str, Mapping[str, str]]) -> tuple[Application, ...]:
        found = []
        for section, name in _members(given, APP):
            before = len(self.problems)
            values = self._values(section, options_of(AppSection), given[section])
            if len(self.problems) == before:
                found.append(AppSection(**values).registered(ClientId(name)))
        return tuple(found)

    def _groups(self, given: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[ProviderRule | FactRule, ...]]:
        return {
            name: GroupSection(**self._values(section, options_of(GroupSection), given[section])).members
            for section, name in _members(given, GROUP)
        }

    def _providers(self, given: Mapping[str, Mapping[str, str]]) -> tuple[ProviderSection, ...]:
        read = (self._provider(section, name, given[section]) for section, name in _members(given, PROVIDER))
        return tuple(provider for provider in read if provider is not None)

    def _provider(self, section: str, name: str, given: Mapping[str, str]) -> ProviderSection | None:
        kind = REGISTRY.get(given.get("kind", ""))
        if kind is None:
            self._faulty.add(PROVIDERS)
            self._note(section, {"kind": f"{_no_kind(given.get('kind', ''))}; there are {', '.join(REGISTRY)}"})
            return None
        before = len(self.problems)
        common, own = options_of(ProviderSection), options_of(kind.options)
        # To a provider, an option without a value is one left out; an empty secret is a mistake everywhere.
        silent = {option.name for option in own if not option.secret and not given.get(option.name)}
        said = {option: text for option, text in given.items() if option not in silent}
        read = self._values(section, (*common, *own), said)
        if len(self.problems) > before:
            self._faulty.add(PROVIDERS)
            return None
        options = kind.options(**{option.field: read.pop(option.field) for option in own})
        label = read["label"] or (name.capitalize() if kind.protocol else kind.label)
        return ProviderSection(name=name, **{**read, "label": label}, options=options)


def _no_kind(given: str) -> str:
    return f"{given!r} is no kind of provider{suggestion(given, REGISTRY)}" if given else "is missing"


def _members(given: Mapping[str, object], family: str) -> list[tuple[str, str]]:
    """Return section and name of every well-named section of a family."""
    parts = [(section, *section.partition(":")) for section in given]
    return [(section, name) for section, prefix, colon, name in parts if prefix == family and _NAME.fullmatch(name)]


def _section_problem(section: str) -> tuple[str, ...]:
    family, colon, name = section.partition(":")
    if section in SECTIONS or (colon and family in FAMILIES and _NAME.fullmatch(name)):
        return ()
    if family in FAMILIES:
        return (f"[{section}] section: needs a name of a-z, 0-9 and -, at most 32 characters, like [{family}:example]",)
    known = ", ".join((*SECTIONS, *(f"{each}:<name>" for each in FAMILIES)))
    hint = suggestion(family, (*SECTIONS, *FAMILIES))
    return (f"[{section}] section: there is no such section{hint or f'; there are {known}'}",)


def _completed(config: Config, given: Mapping[str, Mapping[str, str]]) -> Config:
    """Fill in what follows from other options."""
    server = config.server
    url = server.public_url
    if "public_url" not in given.get("server", {}):
        url = WebOrigin("http", "localhost", server.port)
    server = replace(server, public_url=url, internal_port=server.internal_port or server.port + 1)
    apps = tuple(_completed_app(app, server, config.sessions.static_paths) for app in config.apps)
    return replace(config, server=server, apps=apps)


def _completed_app(app: Application, server: ServerSection, static_paths: tuple[str, ...]) -> Application:
    from_hosts = tuple(str(values.read_origin(f"{server.public_url.scheme}://{host}")) for host in app.hosts)
    return replace(
        app,
        hosts=app.hosts or (server.public_url.host,),
        return_to=app.return_to or from_hosts or (str(server.public_url),),
        static_paths=app.static_paths or static_paths,
    )
