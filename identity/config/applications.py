"""The options of an application.

Owns the sections `[app:…]`, one part of `model.py` in a file of its own. Must not know any other
option: what follows from others, for what was left out here, is `load`'s.
"""

from dataclasses import dataclass
from typing import Final

from identity.applications.application import Application
from identity.applications.disclosure import Attribute, HeaderNames
from identity.config import values
from identity.config.membership import entry_rules
from identity.config.values import WebOrigin
from identity.membership.rules import PUBLIC, MemberRule
from identity.types import ClientId, Host
from options import types
from options.option import option, required
from options.secret import Secret
from options.types import OptionType

_SHORTEST_SECRET: Final = 32


def _read_attribute(text: str) -> Attribute:
    try:
        return Attribute(text)
    except ValueError:
        known = ", ".join(each.value for each in Attribute)
        raise ValueError(f"{text!r} is not one of: {known}") from None


def _read_attributes(given: str) -> tuple[Attribute, ...]:
    found = _LISTED.read(given)
    if not found:
        raise ValueError("needs at least one word; leave the option out for user, id")
    return found


_LISTED: Final = types.many("words", _read_attribute)
_attributes: Final = OptionType(_LISTED.name, _read_attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSection:
    """One `[app:<client-id>]`: an application that may ask about sessions of its hosts."""

    secret: Secret = required(types.secret(_SHORTEST_SECRET), "What the application proves itself with.")
    second_secret: Secret | None = option(
        types.optional_secret(_SHORTEST_SECRET), None, "A second valid secret, while the first is being changed."
    )
    label: str = option(
        types.text("text of at most 64 characters", pattern=r"[^\x00-\x1f\x7f]{1,64}", empty=True),
        "",
        "What people call it, on the login's pages; empty is its host.",
    )
    hosts: tuple[Host, ...] = option(
        values.hosts,
        (),
        "Hosts whose sessions it may ask about, each its own, like wiki.example.com; left out, it shares the login's "
        "host, which is right only for what has no pages.",
    )
    mint: bool = option(
        types.flag, True, "With no, it is never given cookies to pass on, because its proxy would lose them."
    )
    return_to: tuple[WebOrigin, ...] = option(
        values.origins, (), "Origins a login may return to; left out, its hosts, with the scheme of public_url."
    )
    static_paths: tuple[str, ...] = option(
        values.static_paths, (), "Its paths that never carry a token; left out, those of [sessions]."
    )
    tokens_of: tuple[str, ...] = option(
        types.words,
        (),
        "Providers whose tokens it may fetch for its signed-in people, by the names of their sections; they need "
        "keep_tokens = yes.",
    )
    background_paths: tuple[str, ...] = option(
        values.static_paths,
        (),
        "Its paths that pages ask by themselves, such as polling; they do not keep an unused session awake.",
    )
    allow: tuple[MemberRule, ...] = option(
        entry_rules,
        PUBLIC,
        "Who may enter: everyone, or any of user:NAME, group:NAME, provider:NAME, provider:NAME/FACT=VALUE.",
    )
    tell: tuple[Attribute, ...] = option(
        _attributes,
        (Attribute.USER, Attribute.ID),
        "What it is told of a person: any of user, id, name, email, groups; name and e-mail are what a provider said, "
        "and no identity.",
    )
    headers: HeaderNames = option(
        types.choice(HeaderNames),
        HeaderNames.IDENTITY,
        "Under which names a proxy hands it on: X-Identity-…, or what the application already reads, Remote-…, "
        "X-Auth-Request-… or X-Forwarded-….",
    )

    def registered(self, client_id: ClientId) -> Application:
        """Return the application as it is written here; what was left out is empty."""
        return Application(
            id=client_id,
            secrets=(self.secret,) if self.second_secret is None else (self.secret, self.second_secret),
            label=self.label,
            hosts=self.hosts,
            return_to=tuple(str(origin) for origin in self.return_to),
            mint=self.mint,
            static_paths=self.static_paths,
            background_paths=self.background_paths,
            allow=self.allow,
            tokens_of=self.tokens_of,
            tell=frozenset(self.tell),
            headers=self.headers,
        )
