"""From the configuration file to a checked `Config`, or to every problem at once.

Owns the order: syntax, sections, options, what follows from others, rules, files. Each option is
read once, by the type in its description. Raises nothing but ConfigError.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from identity.config import files, ini, providers, values
from identity.config.model import APP, FAMILIES, PROVIDER, SECTIONS, App, Config, ProviderSection, Server
from identity.config.option import Option, options_of
from identity.config.rules import RULES, WARNINGS, Rule
from identity.config.sources import Sources, suggestion
from identity.config.values import Origin
from identity.errors import ConfigError
from identity.types import ClientId, Secret

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_NOTHING: Final[Mapping[str, str]] = {}


def load(
    path: Path, *, environ: Mapping[str, str], overrides: Mapping[str, str] = _NOTHING, demo: bool = False
) -> Config:
    """Read a configuration file and check it and the files it names.

    Args:
        path: the file; relative paths in it start from its folder.
        environ: where secrets may also come from.
        overrides: text of options by `section.option`, from the command line.
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
        self.problems += (problem for name in given for problem in _section_problem(name))
        config = Config(
            **{name: cls(**self._values(name, options_of(cls), given.get(name, {}))) for name, cls in SECTIONS.items()},
            providers=self._providers(given),
            apps=self._apps(given),
            demo=demo,
        )
        self.problems += self._sources.unknown_variables()
        config = _completed(config, given)
        self.check(config, RULES)
        self.check(config, providers.RULES)
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
        values: dict[str, Any] = {}
        for option in options:
            if option.name in faults:
                continue
            try:
                values |= self._value(option, texts)
            except ValueError as error:
                faults[option.name] = str(error)
        self._note(section, faults)
        return values

    def _value(self, option: Option, texts: Mapping[str, str]) -> dict[str, Any]:
        if option.name not in texts:
            if option.default is None:
                raise ValueError(_missing(option))
            # The default was read when the class was made; a path still has to start somewhere.
            texts = {option.name: option.default}
        value = option.read(texts[option.name])
        return {option.field: self._base / value if isinstance(value, Path) else value}

    def _note(self, section: str, faults: Mapping[str, str]) -> None:
        self.problems += (f"[{section}] {name}: {reason}" for name, reason in faults.items())
        self._faulty.update(f"{section}.{name}" for name in faults)

    def _apps(self, given: Mapping[str, Mapping[str, str]]) -> tuple[App, ...]:
        found = []
        for section, name in _members(given, APP):
            before = len(self.problems)
            values = self._values(section, options_of(App), given[section])
            if len(self.problems) == before:
                found.append(App(id=ClientId(name), **values))
        return tuple(found)

    def _providers(self, given: Mapping[str, Mapping[str, str]]) -> tuple[ProviderSection, ...]:
        read = (self._provider(section, name, given[section]) for section, name in _members(given, PROVIDER))
        return tuple(provider for provider in read if provider is not None)

    def _provider(self, section: str, name: str, given: Mapping[str, str]) -> ProviderSection | None:
        kind = given.get("kind", "")
        if kind not in providers.names():
            reason = f"{kind!r} is no kind of provider{suggestion(kind, providers.names())}" if kind else "is missing"
            self._note(section, {"kind": f"{reason}; there are {', '.join(providers.names())}"})
            return None
        before = len(self.problems)
        common, own = options_of(ProviderSection), providers.options_of(kind)
        texts, faults = self._sources.gather(section, (*common, *own), given)
        shared = self._values(section, common, {o.name: texts[o.name] for o in common if o.name in texts})
        mine = {o.name: texts[o.name] for o in own if o.name in texts}
        settled, refused = providers.settle(kind, mine)
        self._note(section, {**refused, **_weak(own, mine), **faults})
        if len(self.problems) > before:
            return None
        secrets = tuple(Secret(mine[o.name]) for o in own if o.secret and mine.get(o.name))
        shared["label"] = shared["label"] or providers.label_of(kind)
        return ProviderSection(name=name, **shared, texts=settled, secrets=secrets)


def _missing(option: Option) -> str:
    if option.secret:
        return f"is missing; give it here, in {option.name}_file, or in the environment (docs/configuration.md)"
    return "is missing"


def _weak(options: Sequence[Option], texts: Mapping[str, str]) -> dict[str, str]:
    """Return a problem for each secret that is missing or too short to be one."""
    faults = {}
    for option in options:
        if option.secret and (option.default is None or option.name in texts):
            try:
                option.read(texts[option.name])
            except KeyError:
                faults[option.name] = _missing(option)
            except ValueError as error:
                faults[option.name] = str(error)
    return faults


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
        url = Origin("http", "localhost", server.port)
    server = replace(server, public_url=url, internal_port=server.internal_port or server.port + 1)
    apps = tuple(_completed_app(app, server, config.sessions.static_paths) for app in config.apps)
    return replace(config, server=server, apps=apps)


def _completed_app(app: App, server: Server, static_paths: tuple[str, ...]) -> App:
    from_hosts = tuple(values.read_origin(f"{server.public_url.scheme}://{host}") for host in app.hosts)
    return replace(
        app,
        hosts=app.hosts or (server.public_url.host,),
        return_to=app.return_to or from_hosts or (server.public_url,),
        static_paths=app.static_paths or static_paths,
    )
