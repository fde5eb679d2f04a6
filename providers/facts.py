"""What a provider says of a person that the operator's rules ask about: claims, domains, organisations.

Pure. Facts decide who may enter, and never who a person is. Only what is asked about leaves here; a value is text,
a number, yes or no, or a list of these, and anything else says nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from providers import untrusted

Facts: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values; a name comes as often as it has values."""

EMAIL_DOMAIN: Final = "email_domain"
"""Follows from a verified address; a kind that verifies none does not say it."""
TENANT: Final = "tenant"
"""Follows from `ProviderProfile.tenant`."""
CLAIM: Final = "claim."
"""Before the name of a claim, or of one within it: `claim.realm_access.roles`."""
OF_CLAIMS: Final = (EMAIL_DOMAIN, CLAIM)
"""What every OpenID provider can say."""
_MOST: Final = 20_000
"""Values of one claim that are looked at: a person in ten thousand groups is in the last one too."""
_LONGEST: Final = 200


def of_claims(asked: Iterable[str], *documents: Mapping[str, object], named: Iterable[str] = ()) -> Facts:
    """Return what is asked about of the claims in all documents: some providers use the ID token, others userinfo.

    `named` are claims that are facts by their own names.
    """
    claims = {name: name if name in named else name.removeprefix(CLAIM) for name in asked if _is_claim(name, named)}
    return tuple(
        dict.fromkeys(
            (name, value) for name, claim in claims.items() for said in documents for value in values(_of(said, claim))
        )
    )


def lacks(asked: Iterable[str], document: Mapping[str, object]) -> bool:
    """Tell whether a claim that is asked about is not in a document."""
    return any(_of(document, name.removeprefix(CLAIM)) is None for name in asked if name.startswith(CLAIM))


def values(said: object) -> Iterator[str]:
    """Yield what a value, or each of a list, says as text."""
    for each in said[:_MOST] if isinstance(said, list) else (said,):
        if isinstance(each, bool):
            yield "true" if each else "false"
        elif isinstance(each, str | int) and each != "" and len(str(each)) <= _LONGEST:
            yield str(each)


def _is_claim(name: str, named: Iterable[str]) -> bool:
    return name.startswith(CLAIM) or name in named


def _of(document: Mapping[str, object], claim: str) -> object:
    """Return a claim by its name, which may hold dots, or by its path."""
    return document[claim] if claim in document else untrusted.find(document, claim)
