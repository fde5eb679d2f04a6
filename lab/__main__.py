"""Visit every interleaving of a few messages: `python -m lab --help`."""

import argparse
import sys
import time

from lab.explore import explore


def main() -> int:
    """Parse the command line, explore, print one line."""
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description="Visit every interleaving of a few messages through the production decision: the end of an honest "
        "browser's session must be unreachable. Simulated hours are in `identityd.py sessions simulate`.",
    )
    parser.add_argument("--in-flight", type=int, default=2, help="messages on their way at once (default %(default)s)")
    parser.add_argument("--states", type=float, default=3e6, help="stop after so many (default %(default)g)")
    given = parser.parse_args()
    begin = time.monotonic()
    found = explore(in_flight=given.in_flight, most_states=int(given.states))
    sys.stdout.write(
        f"{found.states:,} states with {given.in_flight} messages in flight, "
        f"{'closed' if found.closed else 'not closed'}, jar at most {found.largest_jar}, "
        f"{time.monotonic() - begin:.0f} s: the end is {'REACHABLE' if found.ended else 'unreachable'}\n"
    )
    if found.ended:
        sys.stdout.write(f"{found.ended!r}\n")
    return 1 if found.ended else 0


if __name__ == "__main__":
    sys.exit(main())
