"""A daemon is killed while it does what a provider's logout notice asks for, and the provider sends it again."""

import pytest

from tests.support.logins import LoginSite
from tests.web.test_provider_logout import ExpectLog, logged_in, tell


@pytest.mark.parametrize("named", [{"subject": "ada"}, {"subject": "ada", "session": "there-1"}])
@pytest.mark.parametrize("place", ["trail.begun", "ending.revocation-kept", "ending.revocation-done", "trail.ended"])
def test_a_notice_that_was_cut_short_counts_when_it_is_sent_again(
    logins: LoginSite, named: dict[str, str], place: str, expect_log: ExpectLog
) -> None:
    """Otherwise a daemon that is killed in the middle calls the provider's second try a copy, and ends nothing."""
    site, google = logins, logins.google
    google.tells_logouts = True
    browser = logged_in(site)
    expect_log("identity.web", "failed")
    site.stop_at = place
    assert tell(site, **named).status == 500
    site.stop_at = ""

    assert tell(site).status == 200
    assert browser.whoami() is None
    assert tell(site).status == 400
    assert site.accounts.retry_revocations() == 0
