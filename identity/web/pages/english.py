"""Every sentence of the pages, in English.

Keys are `page.place`; `.one` and `.other` are the two numbers English knows. `reason.*` says why
somebody is not logged in (the codes of `sessions.record.Ended`, `anonymous`, `stale`), `notice.*`
what is told after the next login, `error.*` what went wrong: what happened, what is safe, what to
do, and up to four hints. Before a login the reader may be somebody else, so `reason.reuse` is
neutral and only `notice.*` (the codes of `sessions.record.Copied`) tells.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from identity.web.pages.catalogue import Catalogue
from identity.web.pages.english_errors import ERRORS

_TIME: Final = {
    "time.now": "just now",
    "time.minutes.one": "1 minute ago",
    "time.minutes.other": "{n} minutes ago",
    "time.hours.one": "1 hour ago",
    "time.hours.other": "{n} hours ago",
    "time.days.one": "1 day ago",
    "time.days.other": "{n} days ago",
    "time.months.one": "1 month ago",
    "time.months.other": "{n} months ago",
    "time.years.one": "1 year ago",
    "time.years.other": "{n} years ago",
    "place.this-computer": "this computer",
    "place.local": "local network {network}",
    "place.network": "network {network}",
    "place.unknown": "an unknown place",
}

_LOGIN: Final = {
    "login.title": "Log in",
    "login.intro": "Choose the account you want to log in with.",
    "login.destination": "You will continue to {destination}.",
    "login.ways": "Ways to log in",
    "login.ways-stay": "Ways to log in and stay logged in",
    "login.stay": "Stay logged in on this device",
    "login.stay-help": "Otherwise closing the browser logs you out. Leave the box empty if others use this device.",
    "login.last": "You used {label} last time",
    "login.with": "Continue with {label}",
    "login.none": "No way to log in is set up here yet. Whoever runs this service has to configure a provider.",
    "login.new": "New here? The first login creates your account.",
    "welcome.title": "Choose a username",
    "welcome.title-error": "Error: choose another username",
    "welcome.proven": "{provider} confirmed who you are.",
    "welcome.proven-as": "{provider} confirmed that you are {handle}.",
    "welcome.new": "This is your first login here. Applications will show you under this name.",
    "welcome.label": "Username",
    "welcome.rules": (
        "{shortest} to {longest} characters: letters a to z and digits, with dots, underscores or hyphens "
        "between them. Capitals are shown as you type them, but Ada and ada are the same name."
    ),
    "welcome.create": "Create account",
    "welcome.take": "Use {name}",
    "welcome.free.one": "This one is free:",
    "welcome.free.other": "These are free:",
    "welcome.have": "You already have an account here?",
    "welcome.have-do": "Log in the way you did before. Nothing is created until you press the button above.",
    "welcome.have-link": "Log in another way",
    "welcome.problem.name-taken": "This name is taken.",
    "welcome.problem.name-reserved": "This name is reserved. Choose another one.",
    "welcome.problem.name-too-short": "This name is too short: it needs at least {shortest} characters.",
    "welcome.problem.name-too-long": "This name is too long: {longest} characters is the most.",
    "welcome.problem.name-character": "Only letters a to z, digits, dots, underscores and hyphens can be in a name.",
    "welcome.problem.name-invisible-character": (
        "This name holds a character that cannot be seen. Type the name instead of pasting it."
    ),
    "welcome.problem.name-edge": "A name begins and ends with a letter or a digit.",
    "welcome.problem.name-dots": "A name has no two dots next to each other.",
    "welcome.problem.name-empty": "Type a username.",
    "welcome.problem.other": "This name cannot be used here. Choose another one.",
}

_DEMO: Final = {
    "demo.title": "Who would you like to be?",
    "demo.title-error": "Error: type a name",
    "demo.intro": (
        "This page stands in for a login provider. There is no password: anybody can be anybody, "
        "so it exists on this computer only."
    ),
    "demo.people": "Invented people",
    "demo.as": "Continue as {name}",
    "demo.other": "Somebody else",
    "demo.rules": "Any name. The same name is the same person next time.",
    "demo.problem.empty": "Type a name, or choose one of the people above.",
    "demo.go": "Continue",
    "demo.deny": "Cancel",
}

_ACCOUNT: Final = {
    "account.title": "Your account",
    "account.username": "Username",
    "account.name": "Name",
    "account.email": "E-mail",
    "account.ways": "Ways to log in",
    "account.ways-unread": (
        "Your ways to log in cannot be read at the moment. Nothing about them has changed. Load the page again later."
    ),
    "account.linked": "Added {when}",
    "account.sessions": "Where you are logged in",
    "account.sessions-help.one": "Only here. Log out any session you do not recognise.",
    "account.sessions-help.other": "{n} sessions. Log out any you do not recognise.",
    "account.this": "This session",
    "account.active": "Used {when}",
    "account.began": "Logged in {when}",
    "account.began-with": "Logged in with {provider} {when}",
    "account.place": "From {place}",
    "account.applications": "Used for {applications}",
    "account.end": "Log out",
    "account.end-named": "Log out {agent}, {place}",
    "account.here": "Log out here",
    "account.everywhere": "Log out everywhere",
    "account.everywhere-help": "Ends every session, this one too. Do this if you see one that is not yours.",
    "account.done.ended": "That session was ended. Its browser is logged out at its next request.",
    "logout.title": "Log out?",
    "logout.as": "You are logged in as {username}.",
    "logout.others.one": "You are logged in in 1 other place too.",
    "logout.others.other": "You are logged in in {n} other places too.",
    "logout.ends": "Logging out here also logs you out of {applications}.",
    "logout.stay": "Stay logged in",
    "logout-application.title": "Log out of {application}?",
    "logout-application.here": "Log out of this application",
    "logout-application.here-help": (
        "Your login goes on: this application, or another one, opens again without asking who you are."
    ),
    "logout-application.login": "Log out of everything in this browser",
    "logout-application.login-help": "Ends your login at {site}, and every application you opened with it.",
    "logout-application.others": "You opened these with the same login: {applications}.",
    "logout-application.stay": "Stay logged in",
    "logout-application.away": (
        "The login service cannot reach its session store at the moment, so it cannot say who is logged in. "
        "You can still log out of this application here: its login cookies in this browser are deleted at once. "
        "Your login at {site} itself goes on."
    ),
    "logout.away": (
        "This service cannot reach its session store at the moment, so it cannot say who is logged in. "
        "You can still log out of this browser: its login cookies are deleted at once."
    ),
    "signed-out.here.title": "You are logged out",
    "signed-out.here.text": "This session was ended and its cookies were deleted. Your other sessions go on.",
    "signed-out.everywhere.title": "You are logged out everywhere",
    "signed-out.everywhere.text": (
        "All your sessions were ended, this one included, and those in every application. Its cookies were deleted."
    ),
    "signed-out.application.title": "You are logged out of this application",
    "signed-out.application.text": (
        "Only your session at {application} was ended. Your login goes on, so opening the application again "
        "logs you in without asking. Log out of everything if others use this computer."
    ),
    "signed-out.login.title": "You are logged out",
    "signed-out.login.text": (
        "Your login in this browser was ended, and with it every application you opened. "
        "Your sessions in other browsers go on."
    ),
    "signed-out.ended": "Logged out with it: {applications}.",
    "signed-out.already.title": "You are not logged in",
    "signed-out.already.text": "There was no session to end in this browser.",
    "signed-out.provider": (
        "You may still be logged in at {provider}. On a computer that others use, log out there too, "
        "or the next person can log in as you."
    ),
    "signed-out.provider-any": (
        "You may still be logged in at the provider you used. On a computer that others use, log out there too, "
        "or the next person can log in as you."
    ),
    "signed-out.again": "Log in again",
    "notices.title": "Before you go on",
    "notices.intro.one": "Something happened to your account since you last answered here.",
    "notices.intro.other": "{n} things happened to your account since you last answered here.",
    "notices.session": "The session",
    "notices.began": "{agent}, {place}, logged in {when}",
    "notices.other": "Shown again from",
    "notices.seen": "{agent}, {place}, {when}",
    "notices.unknown": "An unknown browser",
    "notices.answer": "Was it you?",
    "notices.answer-help": "This page comes back at every login until you answer, for thirty days.",
    "notices.mine": "It was me",
    "notices.mine-help": "Nothing ends. You will not be told of this again.",
    "notices.elsewhere": "Log out everywhere else",
    "notices.elsewhere-help": "Ends every other session of this account. This browser stays logged in.",
    "notices.onward": "Not now",
    "notices.check": "Check my sessions",
    "page.brand": "{site} start page",
    "page.note": "Note",
}

_REASONS: Final = {
    "reason.logout.title": "You logged out.",
    "reason.logout.text": "This session was ended. Log in again to continue.",
    "reason.reuse.title": "You were logged out for safety.",
    "reason.reuse.text": "Your account was not changed. Log in again to continue.",
    "reason.replaced.title": "You were logged out because a newer login took the place of this one.",
    "reason.replaced.text": "It was in this browser, or in another one where only one session at a time is allowed.",
    "reason.too-many.title": "You were logged out because you logged in on more devices than an account may have.",
    "reason.too-many.text": "This was the oldest of your sessions, so it made room for the newest.",
    "reason.revoked.title": "You were logged out because this session was ended from elsewhere.",
    "reason.revoked.text": "You did it on another device, or an operator did. Your account was not changed.",
    "reason.idle.title": "You were logged out because this session was not used for a while.",
    "reason.idle.text": "Nothing else happened. Log in again to continue.",
    "reason.expired.title": "You were logged out because this session reached its longest time.",
    "reason.expired.text": "Every session ends after a fixed time, however much it is used. Log in again to continue.",
    "reason.lost.title": "You were logged out because this service lost its list of sessions.",
    "reason.lost.text": "That happens when its memory is restarted. Your account was not changed.",
    "reason.disabled.title": "You were logged out because all sessions of this account were ended.",
    "reason.disabled.text": "If you cannot log in again, ask whoever runs this service.",
    "reason.unlinked.title": "You were logged out because the way you logged in was removed from the account.",
    "reason.unlinked.text": "Log in in another way that belongs to your account.",
    "reason.anonymous.title": "Log in to continue.",
    "reason.anonymous.text": "The page you asked for needs a login.",
    "reason.stale.title": "Log in again to continue.",
    "reason.stale.text": "This browser showed an old login that is no longer accepted. Your account was not changed.",
    "reason.provider-denied.title": "The login was cancelled.",
    "reason.provider-denied.text": "You or the provider said no. Nobody was logged in, and no account was changed.",
    "reason.doubtful.title": "Log in again to continue.",
    "reason.doubtful.text": "For safety this service asks for a new login here. Your account was not changed.",
    "reason.foreign.title": "Log in to continue.",
    "reason.foreign.text": "The login this browser showed belongs to another site.",
}

_NOTICES: Final = {
    "notice.reuse.title": "Your session was used in two places",
    "notice.reuse.text": (
        "Two holders went on with the login of one session. One of them had a copy, so it was ended for both."
    ),
    "notice.reuse.do": (
        "If you copied a browser profile to a second computer and used both, that was the copy. If not, somebody "
        "may have taken it from that device: look for malware and unknown browser extensions, and log out everywhere."
    ),
    "notice.stale-copy.title": "Your session was used in two places",
    "notice.stale-copy.text": (
        "The login of one session was shown in a state from earlier, after it had moved on. "
        "Nobody can tell which of the two holders was you, so it was ended for both."
    ),
    "notice.stale-copy.do": (
        "If you restored a backup or a browser profile, or that computer crashed, that was the copy. If not, somebody "
        "may have taken it from that device: look for malware and unknown browser extensions, and log out everywhere."
    ),
    "notice.crash-rollback.title": "Your session was ended, probably after a crash",
    "notice.crash-rollback.text": (
        "The same browser in the same network showed its login as it was moments before. A browser forgets its last "
        "seconds when it or the computer crashes; a copy on the same computer would look the same, so it was ended."
    ),
    "notice.crash-rollback.do": (
        "If the browser or the computer crashed at that time, all is well. If not, look for malware and "
        "unknown browser extensions on that device, and log out everywhere."
    ),
    "notice.safe": (
        "The copy is useless now, and this new session has nothing to do with it. "
        "Your login at the provider was not part of it."
    ),
}


def _plural(n: int) -> str:
    return "one" if n == 1 else "other"


_ALL: Final[Mapping[str, str]] = MappingProxyType(
    {**_TIME, **_LOGIN, **_DEMO, **_ACCOUNT, **_REASONS, **_NOTICES, **ERRORS}
)

ENGLISH: Final = Catalogue("en", _ALL, _plural)
