"""What follows when a memcached does not answer as it should. Pure.

Owns the difference between a connection that fell silent and a node that did. A firewall that
forgets idle connections lets nothing through on them and says nothing: every connection that was
kept looks alive and is not, while the node is well. So a time-out on a connection that was kept
accuses all connections of its time, and the node is asked once more on a new one before it is
believed to hang.

    what happened | on a connection that | the node                        | a read
    --------------+----------------------+---------------------------------+-----------------------------
    SILENT        | was kept             | is proved, on a new connection  | once more: it is that proof
    SILENT        | was given up since   | is being proved, or was         | once more, after the proof
    SILENT        | is new               | rests                           | UNREACHABLE
    CLOSED        | any                  | those that were kept are closed | once more, on a new one
    FAILED        | was kept, given up   | the same                        | the same
    FAILED        | is new               | unusable until it answers       | UNREACHABLE
    NONSENSE      | any                  | unusable until it answers       | UNREACHABLE
    UNABLE        | any                  | unusable until it answers       | UNREACHABLE
    BUSY          | none was free        | is well                         | UNREACHABLE

A node that had to be proved too often of late rests instead: it is overloaded, and its callers'
threads belong to others, too. A second failure of the same read is never followed by a third try:
SILENT rests, all others are unusable until the next answer. A write is never sent twice, whatever
the table says, and a node that is UNABLE to take one has no memory left, and can still be read.
"""

from dataclasses import dataclass
from enum import Enum


class NodeTrouble(Enum):
    """What went wrong with one call."""

    SILENT = "no answer in time"
    CLOSED = "the connection was closed"
    FAILED = "the system refused"
    NONSENSE = "not what was asked for"
    UNABLE = "the node itself says that it cannot"
    BUSY = "more calls at once than connections"


class Origin(Enum):
    """What is known of the connection the call was made on."""

    NEW = "made for this call"
    KEPT = "kept since an earlier call"
    GIVEN_UP = "kept or new, and given up with all others of its generation meanwhile"


class NextStep(Enum):
    """What is to be done."""

    PROVE = "give up the generation; ask once more while the others wait"
    RENEW = "give up the generation; ask once more"
    AGAIN = "ask once more, when no thread proves the node any more"
    REST = "leave the node alone for a while"
    UNUSABLE = "do not use the node until it answers"
    NOTHING = "the node is well"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed, in words for an operator."""

    trouble: NodeTrouble
    said: str


# A kept connection that broke is a restarted node, mostly: the others of its time are broken as well.
_LOST = {Origin.NEW: NextStep.UNUSABLE, Origin.KEPT: NextStep.RENEW, Origin.GIVEN_UP: NextStep.AGAIN}
_AFTER: dict[NodeTrouble, dict[Origin, NextStep]] = {
    # REST for a new connection only: no firewall has forgotten that one, so the node itself is silent.
    NodeTrouble.SILENT: {Origin.NEW: NextStep.REST, Origin.KEPT: NextStep.PROVE, Origin.GIVEN_UP: NextStep.AGAIN},
    NodeTrouble.CLOSED: {**_LOST, Origin.NEW: NextStep.RENEW},
    NodeTrouble.FAILED: _LOST,
    # An answer came, so asking again would cost every caller twice and bring the same.
    NodeTrouble.NONSENSE: dict.fromkeys(Origin, NextStep.UNUSABLE),
    NodeTrouble.UNABLE: dict.fromkeys(Origin, NextStep.UNUSABLE),
    NodeTrouble.BUSY: dict.fromkeys(Origin, NextStep.NOTHING),
}


def after(trouble: NodeTrouble, origin: Origin) -> NextStep:
    """Return what follows from the first failure of a call."""
    return _AFTER[trouble][origin]
