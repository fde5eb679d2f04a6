"""What may become of a connection to a provider. Pure.

Their names are shown to operators; what one says of a connection comes from the operating system or from
TLS and holds nothing of a request.
"""


class ConnectionFailed(Exception):
    """A connection did not come about, or broke."""


class ConnectError(ConnectionFailed):
    """It did not come about."""


class ConnectTimeout(ConnectionFailed):
    """It did not come about in time."""


class AddressRefused(ConnectError):
    """A host is, or resolves to, an address that may not be called."""


class ProxyError(ConnectionFailed):
    """The proxy did not connect us."""


class ReadError(ConnectionFailed):
    """It broke before the answer was whole."""
