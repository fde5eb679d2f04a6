"""How an upgrade and a roll-back look from 200 browsers at 50 requests a second behind nginx."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import needs
from tests.support.certificates import Authority
from tests.support.upgrades import upgraded_and_back

PEOPLE = 200
PER_SECOND = 50
BETWEEN = 1_500


def main() -> None:
    """Measure and print."""
    write = sys.stdout.write
    if lacking := next(filter(None, map(needs.missing, ("memcached", "nginx"))), ""):
        write(f"upgrade and roll-back: {lacking}\n")
        return
    with TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        went = upgraded_and_back(Path(folder), authority, people=PEOPLE, per_second=PER_SECOND, between=BETWEEN)
    write(f"upgrade and roll-back, {PEOPLE} browsers, {PER_SECOND} requests/s behind nginx\n")
    for line, took in zip(went.said, went.took_s, strict=True):
        write(f"  {took:5.1f} s   {line.strip()}\n")
    write(f"  {went.seen.requests} answers: {dict(went.seen.answers)}; slowest {went.seen.slowest_ms:.0f} ms\n")
    write(f"  lost: {len(went.seen.failed)}; logged out: {PEOPLE - went.logged_in}\n")
    for problem in went.seen.failed[:20]:
        write(f"    {problem}\n")


if __name__ == "__main__":
    main()
