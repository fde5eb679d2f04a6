"""One call to a provider on its way: what was asked, what it has cost, and what it tells of the provider. Pure."""

from dataclasses import dataclass, field

from identity.outbound.circuit import CallEnd
from providers.base import ProviderBroken


@dataclass(slots=True)
class Call:
    """One request on its way, what it has cost so far, and what it tells of its provider."""

    method: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    sent: int = 0
    received: int = 0
    ended: CallEnd = CallEnd.UNTOLD
    trouble: str = ""

    def asked(self, url: str) -> str:
        """Return what was asked, without the query, which may hold what must not be logged."""
        return f"{self.method} {url.partition('?')[0]}"

    def tells(self, ended: CallEnd, trouble: str = "") -> None:
        """Note what is known now; a later try of the same call may know more."""
        self.ended, self.trouble = ended, trouble


class CallFailed(ProviderBroken):
    """A connection that did not come about or broke."""

    def __init__(self, message: str, *, worth_another: bool) -> None:
        self.worth_another = worth_another
        super().__init__(message)
