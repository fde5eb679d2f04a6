"""Whether a login is fresh enough for a step that needs the person, and not only the browser, to be there.

Pure. Used wherever a step, a page or an application demands a login that is not too old (`max_age` of OpenID
Connect Core §3.1.2.1). Invariant: a redirect to a provider and back proves nothing by itself. The
provider may have known the browser for weeks; what counts is when it says that the person logged in, and
only of a provider that is known to log people in again when it is asked to.
"""

from enum import Enum
from typing import Final

from identity.types import MINUTE, Millis

OWNER_MS: Final[Millis] = 10 * MINUTE
"""How old the login of a person may be who changes the ways to log in."""
SKEW_MS: Final[Millis] = MINUTE
"""A provider's clock, or another daemon's, may be this far from ours."""


def fresh_enough(auth_at: Millis | None, max_age: Millis, now: Millis) -> bool:
    """Tell whether a login that was proven at `auth_at` may be used for what demands one not older than `max_age`.

    The first row that applies:

        condition                                        | fresh enough
        -------------------------------------------------+-----------------------------------------------
        `auth_at` is None: the login is proven by no     | no
        provider's word                                  |
        more than 1 minute ahead of `now`                | no: some clock is wrong, so its age is unknown
        at most 1 minute ahead of `now`                  | yes, as if it were now
        `now` - `auth_at` is at most `max_age`           | yes
        older                                            | no

    So `max_age` 0 demands a login each time it is asked for; it is met by the answer to a forced login
    (`proven_since`), never by asking again afterwards.
    """
    if auth_at is None or auth_at > now + SKEW_MS:
        return False
    return now - auth_at <= max_age


def proven_since(auth_at: Millis | None, asked_at: Millis) -> bool:
    """Tell whether the person logged in at the provider after a fresh login was asked for.

    condition                                                  | proven
    -----------------------------------------------------------+-------
    `auth_at` is None: the provider does not say, or cannot    | no
    more than 1 minute before `asked_at`                       | no: this is the login of before
    else: providers say whole seconds, and clocks differ       | yes
    """
    return auth_at is not None and auth_at + SKEW_MS >= asked_at


class OwnerProof(Enum):
    """What a session says of whether its account's owner is there."""

    PERSON = "person"
    BROWSER = "browser"
    """Only that the browser is still theirs: its provider cannot be told to log a person in again."""
    NONE = "none"


def owner_proof(
    proven_at: Millis | None, opened_at: Millis, now: Millis, *, proves: bool, doubtful: bool
) -> OwnerProof:
    """Tell what a session proves to a step that changes the ways to log in.

    The first row that applies:

        condition                                                              | proof
        -----------------------------------------------------------------------+--------
        doubtful: a copy of its cookies was used below it                      | NONE
        its provider proves logins, and proved one at most 10 minutes ago      | PERSON
        its provider proves logins, and none is that young                     | NONE
        its provider cannot, and the session was opened at most 10 minutes ago | BROWSER
        it cannot, and the session is older                                    | NONE

    Args:
        proven_at: when the person proved to be there, as far as that is known.
        opened_at: when the session was opened.
        now: the time.
        proves: whether the provider of the session proves logins.
        doubtful: of the session.
    """
    if doubtful or not fresh_enough(proven_at if proves else opened_at, OWNER_MS, now):
        return OwnerProof.NONE
    return OwnerProof.PERSON if proves else OwnerProof.BROWSER
