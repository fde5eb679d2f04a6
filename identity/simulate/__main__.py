"""Run the published figures again: `python -m identity.simulate --help`."""

import argparse
import sys
import time
from collections.abc import Callable

from identity.simulate.explore import explore
from identity.simulate.networks import GOOD, NETWORKS, Thief
from identity.simulate.run import Experiment, Total, simulate

HONEST = "{0:<12}{1:>9}{2:>12}{3:>8}{4:>12}{5:>10}{6:>10}{7:>6}"
THEFT = "{0:<10}{1:>8}{2:>10}{3:>10}{4:>8}{5:>12}"


def main() -> int:
    """Parse the command line and print one table."""
    parser = argparse.ArgumentParser(
        prog="python -m identity.simulate",
        description="Measure rotation with the production decision: honest browsers, thieves, every interleaving.",
        epilog="The same seed gives the same figures on every machine.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    honest = commands.add_parser("honest", help="false logouts of honest browsers on seven networks (must be 0)")
    honest.add_argument("--requests", type=float, default=1e6, help="in all, e.g. 1e7 (default %(default)g)")
    theft = commands.add_parser("theft", help="how long a copied jar is good for, on the good network")
    theft.add_argument("--thefts", type=int, default=400, help="for each of the six thieves (default %(default)s)")
    for each in (honest, theft):
        each.add_argument("--seed", type=int, default=1)
        each.add_argument("--processes", type=int, default=2)
    paths = commands.add_parser("explore", help="every interleaving of a few messages; the end must be unreachable")
    paths.add_argument("--in-flight", type=int, default=2, help="messages on their way at once (default %(default)s)")
    paths.add_argument("--states", type=float, default=3e6, help="stop after so many (default %(default)g)")
    given = parser.parse_args()
    return {"honest": _honest, "theft": _theft, "explore": _explore}[given.command](given)


def _honest(given: argparse.Namespace) -> int:
    begin = time.monotonic()
    totals = simulate(
        NETWORKS,
        Experiment(seed=given.seed),
        requests=int(given.requests),
        processes=given.processes,
        progress=_progress(int(given.requests)),
    )
    _say(HONEST.format("network", "sessions", "requests", "false", "bounces", "in a row", "writes/r", "jar"))
    for total in totals.values():
        _say(_honest_row(total))
    requests = sum(total.requests for total in totals.values())
    false = sum(total.false_logouts for total in totals.values())
    _say(f"{requests:,} requests, seed {given.seed}, {time.monotonic() - begin:.0f} s: {false} false logouts")
    return 1 if false else 0


def _honest_row(total: Total) -> str:
    bounces, writes = total.bounces / total.requests, total.writes / total.requests
    return HONEST.format(
        total.network,
        total.sessions,
        total.requests,
        total.false_logouts,
        f"{bounces:.6f}",
        total.longest_bounce,
        f"{writes:.3f}",
        total.largest_jar,
    )


def _theft(given: argparse.Namespace) -> int:
    _say(THEFT.format("thief", "thefts", "median s", "p99 s", "ended", "alive at end"))
    for thief in Thief:
        experiment = Experiment(seed=given.seed, thief=thief)
        total = simulate((GOOD,), experiment, thefts=given.thefts, processes=given.processes)[GOOD.name]
        median, p99 = f"{total.thief_median:.0f}", f"{total.thief_p99:.0f}"
        _say(THEFT.format(thief.value, total.sessions, median, p99, total.ended, total.thief_alive))
    return 0


def _explore(given: argparse.Namespace) -> int:
    begin = time.monotonic()
    found = explore(in_flight=given.in_flight, most_states=int(given.states))
    _say(
        f"{found.states:,} states with {given.in_flight} messages in flight, "
        f"{'closed' if found.closed else 'not closed'}, jar at most {found.largest_jar}, "
        f"{time.monotonic() - begin:.0f} s: the end is {'REACHABLE' if found.ended else 'unreachable'}"
    )
    if found.ended:
        _say(repr(found.ended))
    return 1 if found.ended else 0


def _progress(goal: int) -> Callable[[int], None]:
    def show(done: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done:,} of {goal:,} requests")
            sys.stderr.flush()

    return show


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
