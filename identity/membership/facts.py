"""What a provider says of a person beside who it is: a domain, a tenant, an organisation, a group.

Owns how a fact is spelt, `provider/name=value`, and which facts are kept: those the configuration
asks about, and no other. Pure. Facts decide who may enter, never who a person is. Invariant: what is kept of
one login has a bound, whatever the provider sends.

    fact                                  | says
    --------------------------------------+------------------------------------------------------------
    `google/hd=example.com`               | the `hd` claim of the ID token
    `entra/tenant=1b1f…`                  | the tenant whose directory the person is in
    `github/org=acme`                     | a member of the organisation
    `corp/email_domain=example.com`       | an address in this domain that the provider has verified
    `corp/claim.department=it`            | the claim `department` is, or holds, `it`

Names and values are compared as they are, but for domains and GitHub's names, where A to Z have no case (and no
other letter: the Kelvin sign is no k). A blank, a comma, a percent sign and what is not ASCII are percent-encoded
in the spelling: `corp/claim.groups=Domain%20Users`. Values of providers are never spelt, so they may be anything.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from string import ascii_lowercase, ascii_uppercase
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

ANY: Final = "*"
"""Instead of a provider's name: whichever says it."""
LONGEST: Final = 120
"""Characters of a whole fact as it is spelt; a longer rule is refused, so that no login carries more."""
MOST: Final = 24
"""Facts that are kept of one login."""
EMAIL_DOMAIN: Final = "email_domain"
TENANT: Final = "tenant"
CLAIM: Final = "claim."
FOLDED: Final = frozenset({EMAIL_DOMAIN, "hd", "org", "team"})
"""Names whose values are the same in any case."""

_PROVIDER: Final = r"(?:[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?|\*)"
_FACT: Final = re.compile(rf"({_PROVIDER})/([a-z_]{{1,32}}|claim\.[^\s=,]{{1,64}})=([^\s,]{{1,100}})")
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
_PLAIN: Final = "!\"#$&'()*+/:;<=>?@[\\]^`{|}~"

Said: TypeAlias = Mapping[str, Collection[str]]
"""What one login's provider says: by name, all values."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that a rule asks about; `str()` is its spelling."""

    provider: str
    name: str
    value: str
    """As it is compared: not spelt, and folded where its name has no case."""
    _spelt: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_spelt", f"{self.provider}/{self.name}={quote(self.value, safe=_PLAIN)}")

    def __str__(self) -> str:
        return self._spelt

    def holds(self, provider: str, heard: Said) -> bool:
        """Tell whether this provider said so; `heard` are values as they are compared."""
        return self.provider in (ANY, provider) and self.value in heard.get(self.name, ())


Asked: TypeAlias = Sequence[Sequence[Fact]]
"""What rules ask about: for each option that holds rules, its facts."""


def read_fact(text: str) -> Fact:
    """Read `provider/name=value`. Raises ValueError with a sentence that says what to write."""
    if match := _FACT.fullmatch(text):
        provider, name, value = match.groups()
        with suppress(UnicodeDecodeError):
            fact = Fact(provider, name, folded(name, unquote(value, errors="strict")))
            if len(str(fact)) <= LONGEST:
                return fact
    raise ValueError(
        f"{text!r} is not what a provider says, like google/hd=example.com, in at most {LONGEST} characters"
    )


def folded(name: str, value: str) -> str:
    """Return a value as it is compared."""
    return value.translate(_LOWER) if name in FOLDED else value


def kept(asked: Asked, provider: str, said: Said) -> tuple[str, ...]:
    """Return the facts of a login that the configuration asks about, spelt; at most `MOST`.

    The first that holds of each list of rules comes before all others, because one is enough for each list: whatever
    else a provider says, it takes no entry away. A rule for any provider is kept under the name `*`, as it is
    asked about.
    """
    heard = {name: frozenset(folded(name, each) for each in values) for name, values in said.items()}
    holding = [[fact for fact in facts if fact.holds(provider, heard)] for facts in asked]
    firsts = [facts[0] for facts in holding if facts]
    return tuple(map(str, dict.fromkeys(chain(firsts, *holding))))[:MOST]


def names_asked(asked: Asked, provider: str) -> frozenset[str]:
    """Return the names of the facts that a provider is asked for."""
    return frozenset(fact.name for facts in asked for fact in facts if fact.provider in (ANY, provider))


def domain_of(email: str) -> str:
    """Return the domain of an address; empty if it is none."""
    local, at, domain = email.rpartition("@")
    return domain if local and at else ""


def said_of(
    facts: Iterable[tuple[str, str]], *, tenant: str, email: str, email_verified: bool
) -> dict[str, tuple[str, ...]]:
    """Return all that a provider said in one login, by name.

    An address that the provider has not verified says nothing about its domain (THREATS 11).
    """
    said: dict[str, list[str]] = {}
    for name, value in (*facts, *_general(tenant, email if email_verified else "")):
        said.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in said.items()}


def _general(tenant: str, verified: str) -> Iterator[tuple[str, str]]:
    if tenant:
        yield TENANT, tenant
    if domain := domain_of(verified):
        yield EMAIL_DOMAIN, domain
