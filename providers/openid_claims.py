"""What verified claims say about a person (OpenID Connect Core §5.1). Pure; what verifies them is `idtoken`."""

from collections.abc import Mapping
from typing import TypeAlias

from providers import untrusted
from providers.base import ProviderProfile

Claims: TypeAlias = Mapping[str, object]


def says_who(claims: Claims) -> bool:
    """Tell whether the claims call the person anything: a name, a handle, or an address."""
    said = profile_of(claims, {})
    return bool(said.handle or said.name or said.email)


def profile_of(claims: Claims, more: Claims) -> ProviderProfile:
    """Make a profile of verified claims; what userinfo says well-formed counts before the ID token's.

    An address and whether it is verified are always taken from the same place. Raises ProviderBroken.
    """
    addressed = next((said for said in (more, claims) if untrusted.email(said.get("email"))), claims)
    email = untrusted.email(addressed.get("email"))

    def shown(*names: str) -> str:
        found = (untrusted.shown(said.get(name)) for name in names for said in (more, claims))
        return next(filter(None, found), "")

    return ProviderProfile(
        subject=untrusted.subject(claims.get("sub")),
        email_verified=bool(email) and untrusted.truth(addressed.get("email_verified")),
        handle=shown("preferred_username", "nickname"),
        name=shown("name"),
        email=email,
        picture=untrusted.address(more.get("picture")) or untrusted.address(claims.get("picture")),
        auth_at=untrusted.seconds(claims.get("auth_time")),
    )
