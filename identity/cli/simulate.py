"""`sessions simulate`: the published figures, to be rerun under any setting.

Owns the options, the progress and where the output goes; what is played is in `lab`, which a
daemon does not need: where it was left away, the command says so.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from identity.cli.saying import counted, say

if TYPE_CHECKING:
    from identity.sessions.rotation import RotationPace
    from lab.networks import Network
    from lab.run import Crew
    from lab.study import Part, Result, Study
    from lab.tally import Total

THIEVES: Final = ("passive", "hammer", "browser", "sniper", "pacer", "lurker")
TRAFFICS: Final = ("usual", "active", "parallel", "polling")
BAR: Final = 24
DRAW_EVERY_S: Final = 0.2
MOST: Final = 10_000_000_000


class WholeNumber(click.ParamType[int]):
    """A whole number that may be written 1e6."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            number = float(str(value))
        except ValueError:
            number = -1.0
        if not 0 <= number <= MOST or number != int(number):
            self.fail(f"{value!r} is not a whole number like 1000000 or 1e6", param, ctx)
        return int(number)


@dataclass(slots=True, kw_only=True)
class Given:
    """The command line, as click passes it on."""

    requests: int
    thefts: int
    crashes: int
    network: tuple[str, ...]
    network_file: Path | None
    thief: tuple[str, ...]
    traffic: str
    settle: tuple[float, ...]
    token_age: float | None
    grace: float | None
    mint_chance: float | None
    seed: int
    processes: int
    plot: Path | None
    as_json: bool
    shown: list["Result"] = field(default_factory=list)


@click.command(short_help="Play honest browsers and thieves against the decision that runs here.")
@click.option(
    "--requests", type=WholeNumber(), default=1_000_000, show_default=True, help="Of honest browsers, in all."
)
@click.option("--thefts", type=WholeNumber(), default=400, show_default=True, help="For each thief; 0 for none.")
@click.option("--crashes", type=WholeNumber(), default=1_000, show_default=True, help="Of the browser; 0 for none.")
@click.option("--network", multiple=True, metavar="NAME", help="Network to play on, or its definition; repeatable.")
@click.option(
    "--network-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="INI file with a section for each further network.",
)
@click.option("--thief", multiple=True, type=click.Choice(THIEVES), help="Which thief; repeatable, all by default.")
@click.option("--traffic", type=click.Choice(TRAFFICS), default="usual", show_default=True, help="What pages do.")
@click.option(
    "--settle",
    multiple=True,
    type=click.FloatRange(0, 600),
    default=(0.0,),
    show_default=True,
    help="[sessions] settle_s; repeat it to compare.",
)
@click.option("--token-age", type=click.FloatRange(1, 3_600), help="token_age_s, instead of the default.")
@click.option("--grace", type=click.FloatRange(1, 600), help="grace_s, instead of the default.")
@click.option("--mint-chance", type=click.FloatRange(0, 1), help="mint_chance, instead of the default.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same figures.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=os.cpu_count() or 1,
    help="How many to use; all processors by default. The figures do not depend on it.",
)
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the thieves' lifetimes (SVG).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def simulate(**options: Any) -> None:  # noqa: ANN401 - click has read each as its option says
    """Play honest browsers, thieves and crashes against the very functions that decide here.

    Honest browsers are played on seven networks, thieves and crashes on the good one, unless
    --network says where. Progress goes to standard error, tables to standard output. Ctrl-C
    stops and prints what is known so far. Exit code 1 if an honest browser was logged out.

    \b
    Networks:
      good mobile mobile-h2 awful skewed mobile+600 awful+600
      NAME:FIELD=VALUE,…     one of your own, good where it says nothing else; fields:
                             like (a network), loss_up, loss_down, tail_share, tail_mean,
                             huge_share, huge_range (5-60), slow_share, slow_range,
                             clock_sigma, bad_clock, in_order (yes)

    \b
    Traffic:
      usual     pages with up to 8 calls, pauses of minutes, polling in half of the sessions; a thief
                is played beside active users as well
      active    the same without the pauses        parallel  up to 40 calls at once
      polling   one page that only polls

    \b
    Thieves:
      passive   shows the copied header every 5 s       hammer    four times a second
      browser   keeps a jar, asks every 8 s             sniper    keeps a jar, every second
      pacer     keeps a jar, in step with the rotation  lurker    keeps a jar, begins minutes later

    \b
    Examples:
      identityd.py sessions simulate
      identityd.py sessions simulate --requests 0 --settle 0 --settle 10 --settle 20 --plot thieves.svg
      identityd.py sessions simulate --thefts 0 --crashes 0 --network train:like=mobile,loss_up=.1
      identityd.py sessions simulate --requests 1e6 --network mobile-h2 --traffic parallel --thefts 0
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    if find_spec("lab") is None:
        raise click.ClickException("what is played is in lab/, which is not beside identityd.py; run it where it is")
    given = Given(**options)
    study = _study(given)
    begin = time.monotonic()
    finished = _play(list(study.parts()), given)
    took = time.monotonic() - begin
    _print(given, finished=finished, took=took)
    if given.plot:
        _draw(given, given.plot)
    from lab.report import false_logouts

    raise SystemExit(1 if false_logouts(given.shown) else 0)


def _study(given: Given) -> "Study":
    from lab import networks
    from lab.study import Study

    traffic = {each.name: each for each in networks.TRAFFICS}[given.traffic]
    return Study(
        paces=_paces(given),
        networks=_networks(given),
        thieves=tuple(networks.Thief(name) for name in given.thief or THIEVES),
        traffic=traffic,
        requests=given.requests,
        thefts=given.thefts,
        crashes=given.crashes,
        seed=given.seed,
    )


def _paces(given: Given) -> tuple["RotationPace", ...]:
    from identity.sessions.rotation import RotationPace

    default = RotationPace()
    age_ms = default.token_age_ms if given.token_age is None else round(given.token_age * 1000)
    grace_ms = default.grace_ms if given.grace is None else round(given.grace * 1000)
    chance = default.mint_chance if given.mint_chance is None else given.mint_chance
    return tuple(
        RotationPace(token_age_ms=age_ms, grace_ms=grace_ms, settle_ms=round(settle * 1000), mint_chance=chance)
        for settle in dict.fromkeys(given.settle)
    )


def _networks(given: Given) -> tuple["Network", ...]:
    from identity.errors import ConfigError
    from lab import definitions

    known = definitions.KNOWN
    if given.network_file:
        try:
            known = definitions.from_file(given.network_file.read_text(encoding="utf-8"), str(given.network_file))
        except (OSError, UnicodeDecodeError):
            raise ConfigError((f"--network-file {given.network_file}: cannot be read",)) from None
    named = tuple(definitions.from_line(text, known) for text in given.network)
    return named or tuple(network for name, network in known.items() if name not in definitions.KNOWN)


def _play(parts: "Sequence[Part]", given: Given) -> bool:
    """Play the parts into `given.shown`; say whether it came to the end."""
    from lab.run import crew

    try:
        with crew(given.processes) as hands:
            for number, part in enumerate(parts, 1):
                _play_part(part, hands, given, of=f"{number}/{len(parts)}")
    except KeyboardInterrupt:
        return False
    return True


def _play_part(part: "Part", hands: "Crew", given: Given, *, of: str) -> None:
    from lab.run import simulate as play
    from lab.study import Result

    terminal, begin, drawn = sys.stderr.isatty(), time.monotonic(), 0.0
    for number, total in enumerate(play(part.network, part.experiment, part.goal, crew=hands)):
        if number == 0:
            given.shown.append(Result(part, total))
        if terminal and (now := time.monotonic()) - drawn >= DRAW_EVERY_S:
            drawn = now
            click.echo(
                f"\r\x1b[K{of} {_bar(part, total)} {part.title}, {_rate(total, now - begin)}", err=True, nl=False
            )
    if terminal:
        click.echo("\r\x1b[K", err=True, nl=False)
    else:
        say(f"{of} {part.title}: {_rate(given.shown[-1].total, time.monotonic() - begin)}", err=True)


def _bar(part: "Part", total: "Total") -> str:
    shares = [
        done / goal
        for done, goal in ((total.requests, part.goal.requests), (total.sessions, part.goal.sessions))
        if goal
    ]
    share = min([1.0, *shares])
    filled = round(share * BAR)
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {share:4.0%}"


def _rate(total: "Total", took: float) -> str:
    return f"{counted(total.requests, 'request')}, {total.requests / max(took, 0.001):,.0f}/s"


def _print(given: Given, *, finished: bool, took: float) -> None:
    import json

    from lab import report

    played = report.requests([result.total for result in given.shown])
    if given.as_json:
        values = {"finished": finished, "seed": given.seed, "requests": played, "rows": report.as_values(given.shown)}
        say(json.dumps(values, indent=2))
        return
    say(report.as_text(given.shown))
    state = "" if finished else "Stopped early. "
    false = report.false_logouts(given.shown)
    say(f"{state}{counted(played, 'request')} in {took:.0f} s, seed {given.seed}: {counted(false, 'false logout')}.")


def _draw(given: Given, path: Path) -> None:
    from identity.errors import ConfigError
    from lab.plot import lifetimes

    try:
        path.write_text(lifetimes(given.shown, caption=_caption(given)), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError((f"--plot {path}: cannot be written: {reason}",)) from None
    say(f"{path}: drawn", err=True)


def _caption(given: Given) -> str:
    thefts = max((r.total.sessions for r in given.shown if r.total.lives), default=0)
    return f"{counted(thefts, 'theft')} for each line, seed {given.seed}"
