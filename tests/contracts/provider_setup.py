"""What the conformance kit must be told of a provider, and the set-up its cases run in."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest

from tests.contracts.provider_cases import VERIFIED
from tests.support.bench import Bench, bench
from tests.support.faults import Fault


class ProviderSetup:
    """What a provider's test says of it; the attributes without a value must be given."""

    KIND: ClassVar[str]
    INAPPLICABLE: ClassVar[Mapping[str, str]]
    """Names of cases below that cannot happen to this provider, each with the reason."""
    CALLS: ClassVar[tuple[str, ...]]
    """Paths a first login asks, each once."""
    WARM_CALLS: ClassVar[tuple[str, ...]]
    """Paths any later login asks."""
    SUBJECT_OF: ClassVar[Mapping[str, str]]
    """What becomes of each of `SUBJECTS`; those not named are refused."""
    PROVES_FRESH_LOGIN: ClassVar[bool] = False
    """Whether it logs a person in again when asked to, and says when it did."""
    PROOF: ClassVar[str] = "code"
    """The parameter of an answer that is exchanged for a token."""
    HARMLESS: ClassVar[Mapping[tuple[str, Fault], str]] = {}
    """Answers that break nothing although they are no good, each with the reason."""
    VERIFIED_OF: ClassVar[Mapping[str, bool]] = {name: verified for name, (_, verified) in VERIFIED.items()}

    # --- what a subclass says --------------------------------------------------------------

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options of the provider under test."""
        raise NotImplementedError

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Make the upstream say that the person has this id."""
        raise NotImplementedError

    def tell_name(self, on: Bench, name: object) -> None:
        """Make the upstream say that the person is called this."""
        raise NotImplementedError

    def tell_email(self, on: Bench, email: object, verified: object) -> None:
        """Make the upstream say that the person has this address."""
        raise NotImplementedError

    # --- set-up -----------------------------------------------------------------------------

    @pytest.fixture
    def on(self) -> Iterator[Bench]:
        """Return the provider under test and all around it."""
        with bench() as made:
            self.prepare(made)
            yield made

    @pytest.fixture
    def impatient(self) -> Iterator[Bench]:
        """Return the same with a client that gives up after a fifth of a second."""
        with bench(total_ms=200) as made:
            self.prepare(made)
            yield made

    def prepare(self, made: Bench) -> None:
        """Build the provider."""
        made.build(self.KIND, self.options(made))
