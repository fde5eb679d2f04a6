"""The login plans of the OpenID Foundation's conformance suite, one test for each module of each plan.

The suite itself is a Java service with a database, which is run apart. Here each module is walked at our own
upstream, which does what that module's class does; docs/certification.md has the list.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.browser import Reply
from tests.support.guards import Expectation
from tests.support.logins import Visitor, location, suggestion
from tests.support.openid_plans import FORM_POST, LOGINS, Ends, Module, Plan
from tests.support.posting import NAME, Posting, posting
from tests.support.signing import ecdsa_key, rsa_key
from tests.support.suite_logins import DOES, as_the_suite, replace_keys
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET, Upstream

ExpectLog = Callable[..., Expectation]
MODULES: Final = [
    pytest.param(plan, module, id=f"{plan.name}/{module.name}") for plan in LOGINS for module in plan.modules
]
ROTATION: Final = "oidcc-client-test-signing-key-rotation"


@pytest.fixture
def op() -> Iterator[Posting]:
    """Give a daemon that logs in at the upstream, which is what the suite is before a module begins."""
    with posting() as made:
        made.upstream.keys = [rsa_key("rsa-1"), ecdsa_key("ec-1")]
        made.upstream.signer = rsa_key("rsa-1")
        yield made


def behave(upstream: Upstream, module: Module) -> None:
    """Make the upstream do what a module does."""
    DOES[module.name](upstream)
    own = upstream.edit_discovery

    def edit(document: dict[str, Any]) -> None:
        as_the_suite(upstream, document)
        own(document)

    upstream.edit_discovery = edit


def use(op: Posting, plan: Plan, *, userinfo: bool = True) -> None:
    """Make the provider, as docs/certification.md configures it for a plan."""
    given = {"issuer": op.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    form_post = {"response_mode": "form_post"} if plan is FORM_POST else {}
    op.use("oidc", {**given, "algorithms": "RS256", "userinfo": "yes" if userinfo else "no", **form_post})


def log_in(op: Posting, plan: Plan, browser: Visitor) -> Reply:
    """Log in as the plan's response mode has it; return what ends the login, or what keeps it from beginning."""
    begun = browser.get(f"/login/{NAME}")
    if begun.status != 302:
        return begun
    asked = dict(parse_qsl(urlsplit(location(begun)).query))
    assert asked["response_type"] == "code"
    assert {"openid", "profile", "email"} == set(asked["scope"].split())
    assert asked.get("response_mode") == ("form_post" if plan is FORM_POST else None)
    assert not {"request", "request_uri"} & asked.keys()
    answer = op.upstream.visit(location(begun))
    if plan is not FORM_POST:
        return browser.come_back(answer.pop("state"), provider=NAME, **answer)
    return browser.get(location(browser.post_answer(answer.pop("state"), provider=NAME, **answer)))


def bearers(op: Posting) -> list[str]:
    """Return how the userinfo endpoint was asked: the scheme of each token."""
    return [each.headers["authorization"][:7] for each in op.upstream.seen if each.path == "/userinfo"]


@pytest.mark.parametrize(("plan", "module"), MODULES)
def test_a_module_ends_as_its_plan_wants(op: Posting, plan: Plan, module: Module, expect_log: ExpectLog) -> None:
    """Otherwise a certified provider cannot be used, or one that lies is believed."""
    behave(op.upstream, module)
    use(op, plan, userinfo=module.ends is not Ends.KEYS_READ)
    accepted = module.ends in {Ends.READ, Ends.LOGGED_IN, Ends.KEYS_READ}
    expect_log("identity.web", "provider", required=not accepted)
    browser = op.site.browser()

    ended = log_in(op, plan, browser)

    assert ended.status == (303 if accepted else 502), ended.body
    assert bool(browser.jar.named("__Host-iddu")) is accepted
    calls = op.upstream.calls
    assert calls["/.well-known/openid-configuration"] >= 1
    assert calls["/token"] == (0 if module.ends is Ends.NOT_BEGUN else 1)
    asked = module.ends in {Ends.READ, Ends.LOGGED_IN, Ends.REFUSED_AT_USERINFO}
    assert bearers(op) == (["Bearer "] if asked else [])
    assert all(each.headers["authorization"].startswith("Basic ") for each in op.upstream.seen if each.path == "/token")


@pytest.mark.parametrize("plan", [plan for plan in LOGINS if plan.name.startswith("oidcc-client-config")])
def test_a_second_login_after_the_keys_were_replaced_fetches_them_again(op: Posting, plan: Plan) -> None:
    """The second half of `signing-key-rotation`: the suite waits for a second look at the keys."""
    behave(op.upstream, next(each for each in plan.modules if each.name == ROTATION))
    use(op, plan)
    log_in(op, plan, op.site.browser())
    replace_keys(op.upstream)

    assert log_in(op, plan, op.site.browser()).status == 303

    assert op.upstream.calls["/jwks"] == 2
    assert bearers(op) == ["Bearer ", "Bearer "]


def test_keys_that_are_replaced_before_signing_are_found_though_others_were_at_hand(op: Posting) -> None:
    """`signing-key-rotation-just-before-signing`, where a login before has read the keys."""
    plan = LOGINS[2]
    use(op, plan)
    assert log_in(op, plan, op.site.browser()).status == 303
    behave(op.upstream, next(each for each in plan.modules if each.name == f"{ROTATION}-just-before-signing"))

    assert log_in(op, plan, op.site.browser()).status == 303


def test_the_keys_are_read_where_the_discovery_document_says(op: Posting) -> None:
    """`discovery-jwks-uri-keys`: the suite watches that address, and is over when it was asked."""
    plan = LOGINS[2]
    behave(op.upstream, next(each for each in plan.modules if each.ends is Ends.KEYS_READ))
    use(op, plan, userinfo=False)

    log_in(op, plan, op.site.browser())

    paths = [each.path for each in op.upstream.seen]
    assert paths == ["/.well-known/openid-configuration", "/token", "/jwksQxWzVnTbLk"]


def test_the_document_alone_is_read_before_a_browser_goes_anywhere(op: Posting) -> None:
    """`discovery-openid-config`: the suite is over when it was asked, and counts what comes after."""
    plan = LOGINS[2]
    behave(op.upstream, next(each for each in plan.modules if each.ends is Ends.READ))
    use(op, plan)

    begun = op.site.browser().get(f"/login/{NAME}")

    assert location(begun).startswith(f"{op.upstream.url}/authorize?")
    assert [each.path for each in op.upstream.seen] == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize("plan", LOGINS[:2], ids=lambda plan: plan.name)
def test_what_userinfo_alone_says_is_used(op: Posting, plan: Plan) -> None:
    """`scope-userinfo-claims`: asking for claims and ignoring the answer would be no use of them."""
    behave(op.upstream, next(each for each in plan.modules if each.name.endswith("scope-userinfo-claims")))
    use(op, plan)
    browser = op.site.browser()

    welcome = browser.get(location(log_in(op, plan, browser)))

    assert suggestion(welcome) == "of-userinfo"


def test_the_upstream_can_do_every_module() -> None:
    """Otherwise a module is named and not tried."""
    assert DOES.keys() == {module.name for plan in LOGINS for module in plan.modules}
