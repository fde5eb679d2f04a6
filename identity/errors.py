"""Every error identityd raises, and what the outside may know of it.

    IdentityError
    ├── ConfigError           the configuration has problems; all of them at once
    ├── StoreError
    │   ├── StoreUnavailable  a store did not answer or its answer is unknown: 503, nothing is ended
    │   ├── ClockWrong        this machine's clock cannot be right: 503, nothing is signed or ended
    │   └── StoreCorrupt      a stored value is not what this daemon wrote: 503 and an alarm
    ├── BadInput              the request cannot be right as it stands: 400
    │   ├── FlowInvalid       a login step came without, or not with its own, flow record
    │   ├── Forbidden         the request is well formed and refused: 403
    │   │   └── NotAllowed    the person is logged in and may not enter this application
    │   └── TooOften          the same was asked for too often: 429, later it works again
    ├── NotFound              404
    └── ProviderTrouble       the provider failed or refused: 502, another way to log in may work
        ├── ProviderAway      it gives no answer, or gave none before and is left alone for a moment
        └── LoginNotFresh     it was asked to log the person in again, and does not say that it did

Each class has `status` (HTTP) and `public` (a sentence safe to show to a stranger); each instance
has `code` (stable, documented in docs/http-api.md) and `detail` (for the log only). Expected
outcomes are values, not errors: a lost race, an absent row, a refused token.
"""

from typing import ClassVar


class IdentityError(Exception):
    """Base of all errors of this project.

    Args:
        code: stable, lower case with dashes, documented; what programs compare.
        detail: what an operator needs; goes to the log, never to a person or program outside.
        public: overrides the class's sentence where a more helpful one is known and safe.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"
    default_public: ClassVar[str] = "Something went wrong inside the login service. Nothing was changed. Try again."

    def __init__(self, code: str | None = None, *, detail: str = "", public: str | None = None) -> None:
        self.code = code or self.default_code
        self.detail = detail
        self.public = public or self.default_public
        super().__init__(f"{self.code}: {detail or self.public}")


class ConfigError(IdentityError):
    """The configuration cannot be used; `problems` names every `[section] option` at fault."""

    default_code = "config"
    default_public = "The login service is not configured correctly."

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(detail="; ".join(problems))


class StoreError(IdentityError):
    """A store is in trouble. Never a reason to end a session."""

    status = 503
    retry_after_s: ClassVar[int] = 5
    default_code = "store"
    default_public = "The login service cannot reach its store. You are not logged out. Try again in a few seconds."


class StoreUnavailable(StoreError):
    """A store did not answer in time, or whether it wrote is unknown and could not be found out."""

    default_code = "store-unavailable"


class ClockWrong(StoreError):
    """The time is one at which nothing can be signed or kept."""

    default_code = "clock-wrong"
    default_public = "The login service's clock is wrong. You are not logged out. Try again later."


class StoreCorrupt(StoreError):
    """A stored value fails its authentication or cannot be read; an attacker may be writing there."""

    default_code = "store-corrupt"


class BadInput(IdentityError):
    """The request is malformed; repeating it unchanged cannot work."""

    status = 400
    default_code = "bad-request"
    default_public = "The request could not be understood."


class FlowInvalid(BadInput):
    """A login step without its record: expired, used already, or begun in another browser."""

    default_code = "flow-invalid"
    default_public = "This login was not started in this browser, was used already, or took too long. Start again."


class Forbidden(BadInput):
    """The request is understood and refused."""

    status = 403
    default_code = "forbidden"
    default_public = "This is not allowed."


class NotAllowed(Forbidden):
    """The person is logged in, and the application's rules let them not enter."""

    default_code = "not-allowed"
    default_public = "You are logged in, but your account may not use this application."


class TooOften(BadInput):
    """More than this service does for one asker in that time."""

    status = 429
    default_code = "rate-limited"
    default_public = "Too many requests came from your network. Wait a minute and try again."

    def __init__(
        self, code: str | None = None, *, retry_after_s: int, detail: str = "", public: str | None = None
    ) -> None:
        super().__init__(code, detail=detail, public=public)
        self.retry_after_s = retry_after_s


class NotFound(IdentityError):
    """There is nothing at this address."""

    status = 404
    default_code = "not-found"
    default_public = "There is nothing at this address."


class ProviderTrouble(IdentityError):
    """A login provider failed, answered nonsense, or refused."""

    status = 502
    default_code = "provider"
    default_public = "The login provider did not answer as expected. Try again, or choose another way to log in."


class ProviderAway(ProviderTrouble):
    """A login provider keeps us waiting, or did and is not asked for a moment."""

    default_code = "provider-slow"
    default_public = "The login provider does not answer at present. Choose another way to log in, or try again later."


class LoginNotFresh(ProviderTrouble):
    """A login provider did not prove the fresh login that it was asked for."""

    default_code = "login-not-fresh"
    default_public = "The login provider did not confirm that you logged in again just now."
