"""Listening sockets that were handed down, as systemd hands them (sd_listen_fds(3)).

Owns the reading of `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`, which are gone from the environment
afterwards: no program that is started later may take them for its own. A daemon takes two sockets, of the
names `public` and `internal`, or none.

    handed down                                   then
    --------------------------------------------  ------------------------------------------------
    nothing, or to another process                both listeners are made here
    both, of the kind that is needed              they are taken; their place must be the configured one
    another number, another name, one name twice  refused, with what the units need
    what is no listening stream socket            refused
"""

import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from typing import Final

from identity.errors import ConfigError

FIRST: Final = 3
"""SD_LISTEN_FDS_START."""
NAMES: Final = ("public", "internal")
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6, socket.AF_UNIX})
_REMEDY: Final = "two .socket units are needed, with FileDescriptorName=public and FileDescriptorName=internal"


def inherited(environ: MutableMapping[str, str], *, pid: int) -> Mapping[str, socket.socket]:
    """Take the sockets that were handed to this process, by name; none if none were. Raises ConfigError."""
    count, owner, names = (environ.pop(f"LISTEN_{what}", "") for what in ("FDS", "PID", "FDNAMES"))
    if not count or owner != str(pid):
        return {}
    if count != str(len(NAMES)):
        raise _refused(f"{count} sockets were handed down instead of 2")
    given = names.split(":")
    if sorted(given) != sorted(NAMES):
        raise _refused(f"the sockets that were handed down are named {', '.join(given) if names else 'nothing'}")
    return {name: _listener(FIRST + at, name) for at, name in enumerate(given)}


def _listener(number: int, name: str) -> socket.socket:
    try:
        is_socket = stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        is_socket = False
    if not is_socket:
        raise _refused(f"what was handed down as {name} is no socket")
    sock = socket.socket(fileno=number)
    sock.set_inheritable(False)
    if sock.family not in _FAMILIES or sock.type != socket.SOCK_STREAM:
        raise _refused(f"what was handed down as {name} is no stream socket (ListenStream=)")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise _refused(f"what was handed down as {name} takes no connections (Accept=no)")
    sock.setblocking(False)
    return sock


def _refused(what: str) -> ConfigError:
    return ConfigError((f"[server] sockets: {what}; {_REMEDY}",))
