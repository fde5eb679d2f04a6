"""How a copy of a session's cookies showed itself: the kind of an end by reuse.

Owns one pure function. What it returns goes into the audit, the metrics and the notice after the
next login; it never decides whether a session ends (`rotation.py`, `planning.py`), and no answer
before a login says it, because the reader may be the thief: there all three kinds are `reuse`.

`B` and `P` are the session's lineage when it ended, `t` stands for a token that was shown. The
first row that applies:

    condition                                              | kind
    -------------------------------------------------------+----------------------------------------
    no t has id = B, and some t has parent = P or          | REUSE: the line parted at most one
    grandparent = P                                        | generation ago; after the copy was made
                                                           | both holders were given tokens
    some t has id = B or id = P; browser and network are   | CRASH_ROLLBACK: what this jar held just
    known, and those the session was opened with           | before the last advance
    none of these                                          | STALE_COPY: an old set was shown, which
                                                           | was not used since it was copied

A crash sets a jar back by up to 20 s, and a token is 12 s old before it gets a child, so the last
two bases are all that fits; ids say it, no clock is asked. A thief on the same computer looks the
same, hence only a suspicion. The record remembers two generations: a line that parted earlier
reads as STALE_COPY. `FOREIGN_HOST` is no end and never returned here: a token of another host
grants nothing there and changes nothing.
"""

from collections.abc import Sequence

from identity.sessions.cookie import Token
from identity.sessions.record import Copied, Session


def kind_of(session: Session, tokens: Sequence[Token], *, agent: str, address: str) -> Copied:
    """Apply the table above to a session that ends.

    Args:
        session: as it was opened; its lineage as it stands.
        tokens: the stale ones that were shown.
        agent: summary of the browser they were shown with; empty if unknown.
        address: the same of the network.
    """
    base, previous = session.lineage.base, session.lineage.previous
    ids = {t.id for t in tokens}
    parted = any(previous in (t.parent, t.grandparent) for t in tokens)
    if parted and base not in ids:
        return Copied.REUSE
    same_place = bool(agent and address) and (agent, address) == (session.agent, session.address)
    return Copied.CRASH_ROLLBACK if same_place and not ids.isdisjoint({base, previous}) else Copied.STALE_COPY
