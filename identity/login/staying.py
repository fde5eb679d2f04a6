"""Whether a login outlives the browser: "stay logged in".

Owns one rule. Pure. The answer is fixed when the login begins and travels in its records, never in
an address, through the provider and the username form to the session; every cookie of the session,
those of sub-sessions on applications' hosts too, then has a `Max-Age` or ends with the browser.

    `stay_logged_in` | the person said yes | said no | said nothing
    -----------------+---------------------+---------+-------------
    ask              | stays               | ends    | ends
    yes              | stays               | stays   | stays
    no               | ends                | ends    | ends

Saying nothing is an untouched box, or a link that leads past the page with the box: on a computer
that others use that must be the safe side.
"""

from enum import Enum


class Stay(Enum):
    """Who decides."""

    ASK = "ask"
    YES = "yes"
    NO = "no"


def stays(policy: Stay, said: str | None) -> bool:
    """Apply the table; anything but `yes` and `no` says nothing."""
    return said == "yes" if policy is Stay.ASK else policy is Stay.YES
