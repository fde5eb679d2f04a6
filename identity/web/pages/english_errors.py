"""What the error pages say, in English: title, what happened, what is safe, what to do, hints.

A code without sentences here is worded by its status, with the error's own public sentence as
what happened; docs/http-api.md lists all codes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_REQUESTS: Final = {
    "error.bad-request.title": "This request could not be understood",
    "error.bad-request.happened": "Something in it is missing, repeated or malformed.",
    "error.bad-request.safe": "Nothing was changed, and your login is as it was.",
    "error.bad-request.do": "Go back and try again. If a link brought you here, that link is wrong.",
    "error.flow-invalid.title": "This login cannot be continued",
    "error.flow-invalid.happened": (
        "It was begun in another browser, was finished already, or took longer than ten minutes."
    ),
    "error.flow-invalid.safe": "Nobody was logged in by it, and nothing was changed.",
    "error.flow-invalid.do": (
        "Start the login again in this browser. "
        "If this happens every time, this browser does not keep this site's cookies: allow them."
    ),
    "error.forbidden.title": "This is not allowed",
    "error.forbidden.happened": "The request was understood and refused.",
    "error.forbidden.safe": "Nothing was changed, and your login is as it was.",
    "error.forbidden.do": "If you think you should be allowed, send the request id below to whoever runs this service.",
    "error.not-same-site.title": "This form was not accepted",
    "error.not-same-site.happened": "It was not sent from a page of this site, or not from one made for this session.",
    "error.not-same-site.safe": "What the form asked for was not done.",
    "error.not-same-site.do": "Open the page again from the start page and repeat what you wanted to do.",
    "error.not-found.title": "There is nothing here",
    "error.not-found.happened": "No page has this address.",
    "error.not-found.safe": "Nothing was changed, and your login is as it was.",
    "error.not-found.do": "Check the address, or go to the start page.",
    "error.method-not-allowed.title": "This address works differently",
    "error.method-not-allowed.happened": "The page exists, but not for this kind of request.",
    "error.method-not-allowed.safe": "Nothing was changed, and your login is as it was.",
    "error.method-not-allowed.do": (
        "If you opened the address of a form, open the page the form is on. The start page leads there."
    ),
    "error.too-large.title": "That was too much at once",
    "error.too-large.happened": "The request is larger than this address accepts.",
    "error.too-large.safe": "Nothing was changed, and your login is as it was.",
    "error.too-large.do": (
        "Go back and send less. If you sent only a few words, delete this site's cookies and log in again."
    ),
    "error.unknown-host.title": "This is not the address of this service",
    "error.unknown-host.happened": "The request names a host that this service does not answer for.",
    "error.unknown-host.safe": "No cookie was read or set.",
    "error.unknown-host.do": (
        "Use the address you were given for this service. "
        "If you run it, compare public_url with the Host header your proxy passes on."
    ),
    "error.rate-limited.title": "Too many tries",
    "error.rate-limited.happened": "More requests came than this service answers in that time.",
    "error.rate-limited.safe": "Nothing was changed, and your login is as it was.",
    "error.rate-limited.do": "Wait a minute and try again.",
}

_LOGINS: Final = {
    "error.provider.title": "The provider did not answer as expected",
    "error.provider.happened": "The login could not be finished, because the provider failed or answered wrongly.",
    "error.provider.happened-at": "The login could not be finished, because {provider} failed or answered wrongly.",
    "error.provider.safe": "Nobody was logged in, and no account was changed.",
    "error.provider.do": "Try again in a minute, or log in another way that belongs to your account.",
    "error.provider-slow.title": "The provider does not answer at present",
    "error.provider-slow.happened": "The login could not go on, because the provider gives no answer, or not in time.",
    "error.provider-slow.happened-at": "The login could not go on, because {provider} gives no answer, or not in time.",
    "error.provider-slow.safe": "Nobody was logged in, and no account was changed.",
    "error.provider-slow.do": "Log in another way that belongs to your account, or try again in a minute.",
    "error.provider-denied.title": "The login was cancelled",
    "error.provider-denied.happened": "The provider reports that the login was refused, by you or by its own rules.",
    "error.provider-denied.happened-at": "{provider} reports that the login was refused, by you or by its own rules.",
    "error.provider-denied.safe": "Nobody was logged in, and no account was changed.",
    "error.provider-denied.do": "Log in again and agree when asked, or log in another way.",
    "error.account-disabled.title": "This account is disabled",
    "error.account-disabled.happened": "You proved who you are, but this account may not log in at present.",
    "error.account-disabled.safe": "Nothing was deleted by this login.",
    "error.account-disabled.do": "Ask whoever runs this service, and give them the request id below.",
    "error.account-merging.title": "Two accounts are being made one",
    "error.account-merging.happened": "The account you log in to is being merged with another one at this moment.",
    "error.account-merging.safe": "Nothing of either account is lost.",
    "error.account-merging.do": "Log in again in a minute.",
    "error.account-merged.title": "This account was merged with another one",
    "error.account-merged.happened": "The way you logged in still leads to the account that was given up.",
    "error.account-merged.safe": "Nothing was changed by this login.",
    "error.account-merged.do": (
        "Log in another way that belongs to the other account, or ask whoever runs this service."
    ),
    "error.no-account.title": "This account cannot be found",
    "error.no-account.happened": "You proved who you are, but the account that belongs to it is not there.",
    "error.no-account.safe": "Nothing was changed by this login.",
    "error.no-account.do": "Ask whoever runs this service, and give them the request id below.",
    "error.being-finished.title": "Being finished in another window",
    "error.being-finished.happened": "The same account is being created in another window or tab at this moment.",
    "error.being-finished.safe": "Only one account will be created.",
    "error.being-finished.do": "Finish it there, or wait half a minute and log in again.",
    "error.provider-unknown.title": "This way to log in is not there",
    "error.provider-unknown.happened": "No login provider of this name is set up here, or it was switched off.",
    "error.provider-unknown.safe": "Nobody was logged in, and no account was changed.",
    "error.provider-unknown.do": "Choose another way to log in that belongs to your account.",
    "error.sign-up-invalid.title": "This username form cannot be used any more",
    "error.sign-up-invalid.happened": (
        "It was sent already, was open for longer than fifteen minutes, or belongs to another browser."
    ),
    "error.sign-up-invalid.safe": "If your username was accepted, your account exists. Nothing was done twice.",
    "error.sign-up-invalid.do": "Log in again: you are signed in if your account exists, and asked again if not.",
    "error.too-many-names.title": "Too many names were tried",
    "error.too-many-names.happened": "One login may ask for twenty different usernames, so that nobody tries them all.",
    "error.too-many-names.safe": "Nothing was lost: your account is made as soon as a name is free.",
    "error.too-many-names.do": "Wait a quarter of an hour, log in again, and choose a name that is rarer.",
    "error.too-many-logins.title": "Too many logins at once",
    "error.too-many-logins.happened": "More logins came from your network lately than this service takes in a minute.",
    "error.too-many-logins.safe": "Nothing was changed. Who is logged in stays logged in.",
    "error.too-many-logins.do": (
        "Wait a minute, then try again. If it goes on, tell whoever runs this service how many share your network."
    ),
    "error.sign-up-closed.title": "New accounts are not open",
    "error.sign-up-closed.happened": "You proved who you are, but there is no account for it here.",
    "error.sign-up-closed.safe": "No account was created.",
    "error.sign-up-closed.do": (
        "If you have an account, log in the way you did before. Otherwise ask whoever runs this service."
    ),
}

_TROUBLE: Final = {
    "error.store.title": "Try again in a moment",
    "error.store.happened": "This service cannot reach its store at the moment.",
    "error.store.safe": "You are not logged out. Your sessions and your account are as they were.",
    "error.store.do": "Try again in a few seconds.",
    "error.store-corrupt.title": "This login cannot be read",
    "error.store-corrupt.happened": "A stored session is not what this service wrote, so it is not used.",
    "error.store-corrupt.safe": "You are not logged out, and nobody gets in by it. An alarm was raised.",
    "error.store-corrupt.do": "Try again later. A fresh login repairs it.",
    "error.newer-key.title": "This service is being updated",
    "error.newer-key.happened": "Your login was signed by a newer version than the one that answered.",
    "error.newer-key.safe": "You are not logged out.",
    "error.newer-key.do": "Try again in a few seconds.",
    "error.too-many-cookies.title": "Your browser holds too many logins for this site",
    "error.too-many-cookies.happened": "It showed more old logins than can be looked at in one request.",
    "error.too-many-cookies.safe": "You are not logged out, and nothing was changed.",
    "error.too-many-cookies.do": "Try again; if it stays, delete this site's cookies and log in again.",
    "error.bounce-lost.title": "This browser's cookies do not come back",
    "error.bounce-lost.happened": "A cookie was set in this browser to check your login, and it did not come back.",
    "error.bounce-lost.safe": "You are not logged out, and nothing was changed.",
    "error.bounce-lost.do": "One of these drops it:",
    "error.bounce-lost.hint.1": (
        "This browser: allow cookies for this site. Look at the setting that blocks all cookies, "
        "at strict private modes, and at extensions that delete cookies."
    ),
    "error.bounce-lost.hint.2": (
        "A proxy in front of this service: it must pass on every Set-Cookie line of an answer, up to four, "
        "and must neither cache answers nor drop the Cookie header."
    ),
    "error.bounce-lost.hint.3": "The address: over plain http, a browser keeps these cookies for localhost only.",
    "error.logout-queued.title": "Logged out in this browser",
    "error.logout-queued.happened": (
        "This service cannot reach its session store, so the session could not be ended there yet."
    ),
    "error.logout-queued.safe": (
        "This browser's login cookies are deleted: nobody can go on with them here. "
        "Ending the session is written down and is tried again until it is done."
    ),
    "error.logout-queued.do": "You may leave this computer. To be sure that it is done, look at your sessions later.",
    "error.logout-not-kept.title": "Logged out in this browser only",
    "error.logout-not-kept.happened": (
        "This service cannot reach its stores, so the session could not be ended there."
    ),
    "error.logout-not-kept.safe": (
        "This browser's login cookies are deleted: nobody can go on with them here. "
        "If somebody holds a copy of them, that copy may work until the session runs out."
    ),
    "error.logout-not-kept.do": (
        "You may leave this computer. Log in later from anywhere and log out this session in the list, "
        "or log out everywhere."
    ),
    "error.application-logout-queued.title": "Logged out of this application",
    "error.application-logout-queued.happened": (
        "The login service cannot reach its session store, so nothing could be ended there yet."
    ),
    "error.application-logout-queued.safe": (
        "This application's login cookies in this browser are deleted. "
        "Ending what you asked for is written down and is tried again until it is done."
    ),
    "error.application-logout-queued.do": (
        "Until then your login goes on in this browser. On a computer that others use, "
        "log out at the login service's own page too."
    ),
    "error.application-logout-not-kept.title": "Logged out of this application in this browser only",
    "error.application-logout-not-kept.happened": (
        "The login service cannot reach its stores, so nothing could be ended there."
    ),
    "error.application-logout-not-kept.safe": (
        "This application's login cookies in this browser are deleted. Your login at the login service goes on."
    ),
    "error.application-logout-not-kept.do": (
        "On a computer that others use, log out at the login service's own page too. "
        "Later, log out this session in the list of your sessions, or log out everywhere."
    ),
    "error.start-invalid.title": "This way into the application cannot be continued",
    "error.start-invalid.happened": (
        "It was begun in another browser, was used already, or took too long: it is good once, for a minute."
    ),
    "error.start-invalid.safe": "Nobody was logged in by it, and your login is as it was.",
    "error.start-invalid.do": (
        "Try again: if you are logged in, you will not be asked for anything. "
        "If this happens every time, this browser does not keep this application's cookies: allow them."
    ),
    "error.no-return.title": "Logins do not lead to this application",
    "error.no-return.happened": "This address is not set up as one that a login may lead to.",
    "error.no-return.safe": "Nothing was changed, and your login is as it was.",
    "error.no-return.do": "Open the application at its usual address. If this is it, tell whoever runs it.",
    "error.end-queued.title": "That session is ended as soon as possible",
    "error.end-queued.happened": "This service cannot reach its session store, so it could not be ended yet.",
    "error.end-queued.safe": (
        "Ending it is written down and is tried again until it is done. You stay logged in here."
    ),
    "error.end-queued.do": "Look at your sessions again in a few minutes.",
    "error.everywhere-queued.title": "Logged out here, and everywhere as soon as possible",
    "error.everywhere-queued.happened": (
        "This service cannot reach its session store, so your sessions could not be ended yet."
    ),
    "error.everywhere-queued.safe": (
        "This browser's login cookies are deleted. "
        "Ending all sessions is written down and is tried again until it is done."
    ),
    "error.everywhere-queued.do": "Log in again in a few minutes and look at your sessions.",
    "error.internal.title": "Something went wrong here",
    "error.internal.happened": "This service made a mistake while answering. It has been written to its log.",
    "error.internal.safe": "You are not logged out by this.",
    "error.internal.do": "Try again. If it stays, send the request id below to whoever runs this service.",
    "error.happened": "What happened",
    "error.safe": "What is safe",
    "error.do": "What to do",
    "error.request": "Request id",
    "error.code": "Code",
    "error.again": "Try again",
    "error.login": "Go to the login page",
    "error.start": "Go to the start page",
    "error.signed-in": (
        "You are logged in in this browser as {username}, and that login goes on. There is nothing to repeat: "
        "go to your account, or back to the application you came from."
    ),
    "error.account": "Go to your account",
}

ERRORS: Final[Mapping[str, str]] = MappingProxyType(_REQUESTS | _LOGINS | _TROUBLE)
