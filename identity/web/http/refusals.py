"""Errors only HTTP knows, beside those of `identity.errors`; each says its status."""

from typing import ClassVar

from identity.errors import BadInput


class NotAPage(BadInput):
    """A script, a frame or an image asked for what only a person opens."""

    default_code = "not-a-page"
    default_public = "This address works only when it is opened as a page; a script, a frame or an image cannot use it."


class NotSameSite(BadInput):
    """A form that was not sent by our own page in this browser (CSRF)."""

    status: ClassVar[int] = 403
    default_code = "not-same-site"
    default_public = "This form was not sent from this site's own page, or the page is too old. Load it again."


class WrongMethod(BadInput):
    """The address exists, but not for this method."""

    status: ClassVar[int] = 405
    default_code = "method-not-allowed"
    default_public = "This address does not answer this kind of request."


class SignUpBeingFinished(BadInput):
    """The same account is being made in another window."""

    status: ClassVar[int] = 409
    default_code = "being-finished"
    default_public = "The same account is being created in another window. Wait half a minute and try again."


class ProviderLoginNeeded(BadInput):
    """What is kept of a provider is not good any more; `location` is where its person logs in again."""

    status: ClassVar[int] = 409
    default_code = "provider-login-needed"
    default_public = "The person has to log in with this provider again."

    def __init__(self, location: str) -> None:
        self.location = location
        super().__init__()


class TooLarge(BadInput):
    """More was sent than the address takes."""

    status: ClassVar[int] = 413
    default_code = "too-large"
    default_public = "The request is larger than this address accepts."


class WrongMediaType(BadInput):
    """The body is of a kind this address does not read."""

    status: ClassVar[int] = 415
    default_code = "media-type"
    default_public = "The request's content type is not one this address accepts."


class WrongHost(BadInput):
    """The request names a host this daemon does not answer for."""

    status: ClassVar[int] = 421
    default_code = "unknown-host"
    default_public = "This login service does not answer under the host name you used."


class HeadTooLong(BadInput):
    """The request line and headers are longer than the daemon takes."""

    status: ClassVar[int] = 431
    default_code = "head-too-long"
    default_public = "The request's headers are too long. Delete this site's cookies in the browser, then try again."


class LastWay(BadInput):
    """Without this way to log in no login would lead to the account any more."""

    status: ClassVar[int] = 409
    default_code = "last-way"
    default_public = "This is the only way to log in to your account, so it cannot be removed. Add another one first."
