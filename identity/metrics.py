"""Counters and histograms for `/metrics`, in the text format of Prometheus.

Owns the numbers of one process. Invariant: memory is bounded, because a name takes at most
`SERIES` combinations of labels; what goes beyond is counted under `other`.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Final, TypeAlias

SERIES: Final = 2_000
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms' buckets, in seconds."""

HELP: Final[Mapping[str, str]] = MappingProxyType(
    {
        "identityd_checks_total": "Session checks by application, verdict and reason.",
        "identityd_tokens_minted_total": "Tokens handed out; many without an advance mean a proxy drops Set-Cookie.",
        "identityd_requests_total": "Requests answered, by listener and status.",
        "identityd_request_seconds": "Time from a request's headers to its answer.",
        "identityd_pool_wait_seconds": "Time work waited for a thread.",
    }
)

_Labels: TypeAlias = tuple[tuple[str, str], ...]
_OTHER: Final[_Labels] = (("overflow", "other"),)


@dataclass(slots=True)
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0


class Metrics:
    """The numbers. Thread-safe."""

    __slots__ = ("_counters", "_gauges", "_histograms", "_lock")

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[str, dict[_Labels, int]] = {}
        self._histograms: dict[str, dict[_Labels, _Histogram]] = {}
        self._gauges: dict[str, Callable[[], float]] = {}

    def count(self, name: str, /, **labels: str) -> None:
        """Add one to a counter."""
        with self._lock:
            series = self._counters.setdefault(name, {})
            key = _key(series, labels)
            series[key] = series.get(key, 0) + 1

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add one measurement, in seconds, to a histogram."""
        with self._lock:
            series = self._histograms.setdefault(name, {})
            histogram = series.setdefault(_key(series, labels), _Histogram())
            histogram.counts[bisect_left(BOUNDS, value)] += 1
            histogram.total += value

    def watch(self, name: str, read: Callable[[], float], /) -> None:
        """Report what `read` returns at the time of asking."""
        with self._lock:
            self._gauges[name] = read

    def render(self) -> bytes:
        """Return all of them."""
        with self._lock:
            gauges = dict(self._gauges)
            lines = [*_counter_lines(self._counters), *_histogram_lines(self._histograms)]
        for name, read in sorted(gauges.items()):
            lines += [f"# TYPE {name} gauge", f"{name} {read():g}"]
        return "".join(f"{line}\n" for line in lines).encode()


def _key(series: Mapping[_Labels, object], labels: Mapping[str, str]) -> _Labels:
    key = tuple(sorted(labels.items()))
    return key if key in series or len(series) < SERIES else _OTHER


def _counter_lines(counters: Mapping[str, Mapping[_Labels, int]]) -> list[str]:
    lines = []
    for name, series in sorted(counters.items()):
        lines += _head(name, "counter")
        lines += [f"{name}{_shown(key)} {value}" for key, value in sorted(series.items())]
    return lines


def _histogram_lines(histograms: Mapping[str, Mapping[_Labels, _Histogram]]) -> list[str]:
    lines = []
    for name, series in sorted(histograms.items()):
        lines += _head(name, "histogram")
        for key, histogram in sorted(series.items(), key=lambda item: item[0]):
            lines += _buckets(name, key, histogram)
    return lines


def _buckets(name: str, key: _Labels, histogram: _Histogram) -> list[str]:
    lines, below = [], 0
    for bound, count in zip((*(f"{b:g}" for b in BOUNDS), "+Inf"), histogram.counts, strict=True):
        below += count
        lines.append(f"{name}_bucket{_shown((*key, ('le', bound)))} {below}")
    return [*lines, f"{name}_sum{_shown(key)} {histogram.total:g}", f"{name}_count{_shown(key)} {below}"]


def _head(name: str, kind: str) -> list[str]:
    return [*([f"# HELP {name} {HELP[name]}"] if name in HELP else []), f"# TYPE {name} {kind}"]


def _shown(key: _Labels) -> str:
    if not key:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in key) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
