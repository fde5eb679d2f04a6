"""Everything a person sees: pages, their sentences, their look.

Owns the HTML templates and the one stylesheet; their sentences stand in `identity/locale/`. Knows
nothing of requests, services or stores: a handler gives values, a page comes back as bytes.
Invariants: every value is escaped; a missing or unknown value raises; no page holds an inline style, an
address outside this site, or a script beside the one of `script.py`.

    page        needs                                      may have
    ----------  -----------------------------------------  --------------------------------------
    login       ways                                       staying, ticked, last, reason,
                                                           destination
    welcome     action, csrf, existing, provider,           handle, problem, free, hidden, shortest,
                username                                   longest
    welcome-    provider, ways, back                       handle, denied
    existing
    prove       username, ways                             denied
    way-add     username, ways                             denied
    way-        csrf, reference, username, provider,
    confirm     label, known_as, proven
    way-taken                                              provider
    way-remove  csrf, way, username, provider, label,
                known_as, ends_here
    account     csrf, account, username, devices           identities, name, email, done
    logout      csrf                                       account, username, others
    signed-out                                             scope, provider, there, leads
    notices     csrf, notices, seen, onward
    refused     username, application, again, another,
                request_id, code
    error       status, code, public, request_id           again, provider, username

`PAGES` in `rendering.py` holds the same list with the defaults; `views.py` the values that are
more than text.

- `staying` are the same ways for a person who ticks "stay logged in"; without them the page has no box.
  The stylesheet shows one of the two lists. `ticked` says how the box begins.
- `reason` is the reason code of a verdict (`idle`, `reuse`, `anonymous` …), `last` the name of
  the provider used last, `destination` where the login leads, as text.
- `problem` says why a username was not accepted (`name-taken`, or the value of a `NameProblem`),
  `free` proposes others; `hidden` holds further (name, value) pairs the form must send.
- `account` is the account's id, which the logout form sends back so that logging out works while
  the session store is away; without `username` the page is for just that case.
- `scope` is `here`, `everywhere` or `already`; `done` says what was just done, if the catalogue has words for it.
- `proven` says whether both sides of a link proved that the person was there, and not only the browser;
  `ends_here` that the session that asks was opened through the way that goes.
- `identities` is None when they could not be read.
- `status`, `code` and `public` are those of an `IdentityError`; a code with sentences of its own
  in the catalogue shows those, any other is worded by its status with `public` as what happened.
  `again` is an address worth trying once more, `provider` the label of the one that failed,
  `username` who is logged in although this login came to nothing.
- `seen` names the notices shown, and comes back with the answer.
"""

from identity.web.pages.branding import Branding
from identity.web.pages.rendering import Pages
from identity.web.pages.style import STYLESHEET, Stylesheet
from identity.web.pages.views import Device, LinkedLogin, OpenedApplication, Way

__all__ = ["STYLESHEET", "Branding", "Device", "LinkedLogin", "OpenedApplication", "Pages", "Stylesheet", "Way"]
