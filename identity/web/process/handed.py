"""What the program that started this process handed down: sockets, whom to tell, whom to relieve."""

import os
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from identity.web.process.inherited import inherited
from identity.web.process.predecessor import Predecessor
from identity.web.process.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Handed:
    """Nothing, unless a supervisor started this process."""

    sockets: Mapping[str, socket.socket] = field(default_factory=dict)
    """By name of the listener."""
    supervisor: Supervisor = field(default_factory=Supervisor)
    predecessor: Predecessor | None = None


def take(environ: MutableMapping[str, str]) -> Handed:
    """Take what was handed down out of the environment. Raises ConfigError for sockets that will not do."""
    pid = os.getpid()
    return Handed(inherited(environ, pid=pid), Supervisor.of(environ, pid=pid), Predecessor.of(environ))
