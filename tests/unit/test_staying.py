"""Whether a login outlives the browser: a case for every cell of the table in `staying.py`."""

import pytest

from identity.login.staying import Stay, stays


@pytest.mark.parametrize(
    ("policy", "said", "stay"),
    [
        (Stay.ASK, "yes", True),
        (Stay.ASK, "no", False),
        (Stay.ASK, None, False),
        (Stay.ASK, "Yes please", False),
        (Stay.YES, "yes", True),
        (Stay.YES, "no", True),
        (Stay.YES, None, True),
        (Stay.NO, "yes", False),
        (Stay.NO, "no", False),
        (Stay.NO, None, False),
    ],
)
def test_who_decides_whether_a_login_stays(policy: Stay, said: str | None, *, stay: bool) -> None:
    """A login that stays on a shared computer is the next person's."""
    assert stays(policy, said) is stay
