"""Thief lifetimes drawn as SVG: which share of the copies is still good for something after a time.

Owns the drawing; uses no library. One panel for each setting, one line for each thief, told apart
by colour and by dashes, readable on a light and on a dark page.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape

from lab.networks import Thief
from lab.study import Question, Result, seconds
from lab.tally import percentile

_WIDTH: Final = 760
_PANEL: Final = 300
_LEFT, _RIGHT, _ABOVE, _BELOW = 56, 250, 44, 46
_PLOT_W: Final = _WIDTH - _LEFT - _RIGHT
_PLOT_H: Final = _PANEL - _ABOVE - _BELOW
_STEPS: Final = 240
_SHORTEST_S: Final = 60
_LONGEST_S: Final = 300
_TICKS: Final = 30
_DASHES: Final = {
    Thief.PASSIVE: "none",
    Thief.HAMMER: "7 3",
    Thief.BROWSER: "none",
    Thief.SNIPER: "2 3",
    Thief.PACER: "9 3 2 3",
    Thief.LURKER: "4 4",
}
_STYLE: Final = """\
text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.small{font-size:12px;fill:#57606a}
.page{fill:#ffffff}.grid{stroke:#d0d7de;stroke-width:1}.line{fill:none;stroke-width:2;stroke-linejoin:round}
.passive{stroke:#0b62c4}.hammer{stroke:#6e40c9}.browser{stroke:#c2410c}.sniper{stroke:#b3155f}.pacer{stroke:#116e4b}
.lurker{stroke:#6b5900}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9aa4af}.page{fill:#0d1117}.grid{stroke:#30363d}
.passive{stroke:#6cb0ff}.hammer{stroke:#c39bff}.browser{stroke:#ff9d5c}.sniper{stroke:#ff86b6}.pacer{stroke:#4fd39b}
.lurker{stroke:#e0c341}}"""


def lifetimes(results: Sequence[Result], *, caption: str) -> str:
    """Return an SVG image of the thefts among the results; the caption goes below."""
    thefts = [result for result in results if result.part.question is Question.THEFT and result.total.lives]
    panels = [list(rows) for _, rows in groupby(thefts, key=_setting)]
    height = max(1, len(panels)) * _PANEL + 28
    span = _span(thefts)
    body = "\n".join(
        line
        for number, rows in enumerate(panels)
        for line in _panel(rows, span, top=number * _PANEL, title=_title(rows))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'role="img" aria-label="How long a stolen copy of a session is accepted">\n'
        f'<style>{_STYLE}</style>\n<rect class="page" width="{_WIDTH}" height="{height}"/>\n{body}\n'
        f'<text class="small" x="{_LEFT}" y="{height - 12}">{escape(caption)}</text>\n</svg>\n'
    )


def _setting(result: Result) -> tuple[str, str, str]:
    part = result.part
    return part.network.name, part.experiment.traffic.name, seconds(part.pace.settle_ms)


def _title(rows: Sequence[Result]) -> str:
    network, traffic, settle = _setting(rows[0])
    return f"Copies still accepted: network {network}, {traffic} traffic, settle {settle} s"


def _span(thefts: Sequence[Result]) -> int:
    """Return up to which second the lines are drawn: where 99 of 100 copies are over, in whole ticks."""
    longest = max((percentile(sorted(r.total.lives), 0.99) for r in thefts), default=0.0)
    return min(_LONGEST_S, max(_SHORTEST_S, (int(longest) // _TICKS + 1) * _TICKS))


def _panel(rows: Sequence[Result], span: int, *, top: int, title: str) -> Iterator[str]:
    yield f'<text class="title" x="{_LEFT}" y="{top + 26}">{escape(title)}</text>'
    yield from _axes(span, top)
    for number, result in enumerate(rows):
        thief = result.part.experiment.thief or Thief.PASSIVE
        look = f'class="line {thief.value}" stroke-dasharray="{_DASHES[thief]}"'
        ordered = sorted(result.total.lives)
        yield f'<path {look} d="{_curve(ordered, span, top)}"/>'
        x, y = _LEFT + _PLOT_W + 20, top + _ABOVE + 14 + number * 34
        yield f'<path {look} d="M{x} {y - 4}h30"/>'
        yield f'<text x="{x + 38}" y="{y}">{thief.value}</text>'
        half, most = percentile(ordered, 0.5), percentile(ordered, 0.99)
        yield f'<text class="small" x="{x + 38}" y="{y + 15}">median {half:.0f} s, p99 {most:.0f} s</text>'


def _axes(span: int, top: int) -> Iterator[str]:
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100, top)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}h{_PLOT_W}"/>'
        yield f'<text class="small" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>'
    bottom = top + _ABOVE + _PLOT_H
    for at in range(0, span + 1, _TICKS if span <= 8 * _TICKS else 2 * _TICKS):
        x = _LEFT + _PLOT_W * at / span
        yield f'<path class="grid" d="M{x:.1f} {bottom}v5"/>'
        yield f'<text class="small" x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{at} s</text>'
    middle = _LEFT + _PLOT_W / 2
    label = "after the theft"
    yield f'<text class="small" x="{middle:.0f}" y="{bottom + 36}" text-anchor="middle">{label}</text>'


def _curve(ordered: Sequence[float], span: int, top: int) -> str:
    points, over = [], 0
    for step in range(_STEPS + 1):
        at = span * step / _STEPS
        while over < len(ordered) and ordered[over] <= at:
            over += 1
        share = 1 - over / len(ordered)
        points.append(f"{_LEFT + _PLOT_W * step / _STEPS:.1f} {_y(share, top):.1f}")
    return "M" + "L".join(points)


def _y(share: float, top: int) -> float:
    return top + _ABOVE + _PLOT_H * (1 - share)
