"""The daemon's numbers, in the text format of Prometheus, served on the internal listener.

Owns counting and rendering. Thread-safe; a count costs about a microsecond and never blocks on
anything but another count. Label values come from closed sets; whatever escapes them is bounded:
after 300 combinations of one metric, further ones are counted under `other`.

    name                                labels                        what
    ----------------------------------- ----------------------------- ---------------------------------
    identityd_checks_total              app verdict reason            session checks answered
    identityd_tokens_minted_total       app                           tokens handed out
    identityd_logins_total              provider outcome              logins: begun, and how they ended
    identityd_sign_ups_total            provider outcome              usernames chosen
    identityd_starts_total              app outcome                   ways to applications' hosts
    identityd_sessions_opened_total     -                             sessions opened
    identityd_sessions_ended_total      reason                        sessions ended: reuse, logout, revoked
    identityd_copies_total              reason                        signs that cookies were copied
    identityd_store_errors_total        code                          requests a store did not answer
    identityd_store_corrupt_total       kind                          cached values nobody of us wrote
    identityd_pool_wait_seconds         pool                          waiting for a thread
    identityd_secrets_refused_total     app                           wrong secrets
    identityd_requests_total            listener status               answers
    identityd_request_seconds           listener                      from request to answer
    identityd_provider_calls_total      provider outcome              calls to a provider
    identityd_provider_bytes            provider                      bytes of the bodies of a call
    identityd_provider_up               provider                      1 unless its calls are refused for a while
    identityd_gathered_checks           -                             checks per round trip to the store
    identityd_audit_waiting             -                             audit rows not yet written
    identityd_audit_withheld_total      -                             audit rows beyond the ration, logged only
    identityd_audit_dropped_total       -                             audit rows lost (each is logged)
    identityd_node_up                   node                          1 if a memcached node is usable
    identityd_node_silent_total         node                          calls a node did not answer in time
    identityd_node_full                 node                          1 if a node takes nothing new
    identityd_node_refused_total        node                          values a node had no memory for
    identityd_accounts_up               -                             1 if the account store answers
    identityd_cassandra_calls_total     kind                          statements sent, by how sure they are
    identityd_key_newest                -                             number of the newest key known
    identityd_key_signing               -                             number of the key that signs

Minted tokens without `advance` among an application's reasons mean that the proxy in front
of it drops Set-Cookie.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from threading import Lock
from typing import Final, TypeAlias

MOST_SERIES: Final = 300
OTHER: Final = "other"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BYTES: Final = (1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0, 300_000.0, 1_000_000.0)
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

Values: TypeAlias = tuple[str, ...]


class Kind(Enum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what it is called, what it means and what tells its series apart."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: Final = (
    Metric("identityd_checks_total", Kind.COUNTER, "Session checks answered.", ("app", "verdict", "reason")),
    Metric("identityd_tokens_minted_total", Kind.COUNTER, "Tokens handed out.", ("app",)),
    Metric("identityd_logins_total", Kind.COUNTER, "Logins: begun, and what became of them.", ("provider", "outcome")),
    Metric("identityd_sign_ups_total", Kind.COUNTER, "Sign-ups, by how they ended.", ("provider", "outcome")),
    Metric("identityd_starts_total", Kind.COUNTER, "Start codes: issued, opened, kept, refused.", ("app", "outcome")),
    Metric("identityd_sessions_opened_total", Kind.COUNTER, "Sessions opened."),
    Metric("identityd_sessions_ended_total", Kind.COUNTER, "Sessions ended.", ("reason",)),
    Metric("identityd_copies_total", Kind.COUNTER, "Signs that a session's cookies were copied.", ("reason",)),
    Metric("identityd_store_errors_total", Kind.COUNTER, "Requests that failed with their store.", ("code",)),
    Metric("identityd_store_corrupt_total", Kind.COUNTER, "Cached values that none of our daemons wrote.", ("kind",)),
    Metric("identityd_pool_wait_seconds", Kind.HISTOGRAM, "Waiting for a thread.", ("pool",), SECONDS),
    Metric("identityd_secrets_refused_total", Kind.COUNTER, "Wrong secrets of applications.", ("app",)),
    Metric("identityd_requests_total", Kind.COUNTER, "Answers given.", ("listener", "status")),
    Metric("identityd_request_seconds", Kind.HISTOGRAM, "From request to answer.", ("listener",), SECONDS),
    Metric("identityd_provider_calls_total", Kind.COUNTER, "Calls to a login provider.", ("provider", "outcome")),
    Metric("identityd_provider_bytes", Kind.HISTOGRAM, "Bytes per call to a login provider.", ("provider",), BYTES),
    Metric("identityd_provider_up", Kind.GAUGE, "1 unless a provider without answers is left alone.", ("provider",)),
    Metric("identityd_gathered_checks", Kind.HISTOGRAM, "Checks per round trip to the session store.", (), SIZES),
    Metric("identityd_audit_waiting", Kind.GAUGE, "Audit rows not yet written."),
    Metric("identityd_audit_withheld_total", Kind.COUNTER, "Audit rows beyond what one may cause; each is in the log."),
    Metric("identityd_audit_dropped_total", Kind.COUNTER, "Audit rows lost; each is in the log."),
    Metric("identityd_node_up", Kind.GAUGE, "1 if the memcached node is usable.", ("node",)),
    Metric("identityd_node_silent_total", Kind.COUNTER, "Calls a memcached node did not answer in time.", ("node",)),
    Metric("identityd_node_full", Kind.GAUGE, "1 if the store of sessions takes nothing new.", ("node",)),
    Metric("identityd_node_refused_total", Kind.COUNTER, "Values there was no memory for.", ("node",)),
    Metric("identityd_accounts_up", Kind.GAUGE, "1 if the account store answered the last /readyz."),
    Metric("identityd_cassandra_calls_total", Kind.COUNTER, "Statements sent to Cassandra.", ("kind",)),
    Metric("identityd_key_newest", Kind.GAUGE, "Number of the newest key this daemon knows."),
    Metric("identityd_key_signing", Kind.GAUGE, "Number of the key that signs."),
)


class Metrics:
    """The numbers of one daemon. A name that is not in the table, or wrong labels, raise KeyError."""

    def __init__(self, metrics: tuple[Metric, ...] = METRICS) -> None:
        self._families = {metric.name: _FAMILIES[metric.kind](metric) for metric in metrics}

    def count(self, name: str, /, **labels: str) -> None:
        """Add one to a counter."""
        self._families[name].add(labels, 1)

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add one measurement to a histogram; durations are in seconds."""
        self._families[name].add(labels, value)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._families[name].put(labels, value)

    def watch(self, name: str, read: Callable[[], float], /) -> None:
        """Let a gauge or counter without labels be read from its source when it is rendered."""
        self._families[name].source = read

    def render(self) -> bytes:
        """Return all of them in the text format 0.0.4; a source that fails is left out."""
        lines = [line for family in self._families.values() for line in family.render()]
        return ("\n".join(lines) + "\n").encode()


class _Family:
    """The series of one metric, by the values of its labels."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.source: Callable[[], float] | None = None
        self._lock = Lock()
        self._values: dict[Values, float] = {}
        self._other = (OTHER,) * len(metric.labels)
        self._pick = _picker(metric.labels)

    def add(self, labels: Mapping[str, str], amount: float) -> None:
        """Add to the series of these labels."""
        values = self._pick(labels)
        with self._lock:
            if values not in self._values:
                values = self._admitted(values)
            self._values[values] = self._values.get(values, 0) + amount

    def put(self, labels: Mapping[str, str], value: float) -> None:
        """Replace the value of the series."""
        values = self._pick(labels)
        with self._lock:
            self._values[self._admitted(values)] = value

    def render(self) -> Iterator[str]:
        """Yield the lines of this metric."""
        yield f"# HELP {self.metric.name} {self.metric.help}"
        yield f"# TYPE {self.metric.name} {self.metric.kind.value}"
        with self._lock:
            found = dict(self._values)
        if self.source is not None:
            found = _read(self.source)
        elif not self.metric.labels:
            found.setdefault((), 0)
        for values, value in found.items():
            yield f"{self.metric.name}{_braces(self.metric.labels, values)} {_number(value)}"

    def _admitted(self, values: Values) -> Values:
        """Return the series to use: the asked one, or `other` when there are too many."""
        return values if values in self._values or len(self._values) < MOST_SERIES else self._other


class _Histogram(_Family):
    """Counts per bucket and the sum, by the values of the labels."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._counts: dict[Values, list[int]] = {}

    def add(self, labels: Mapping[str, str], amount: float) -> None:
        """Count one measurement."""
        values = self._pick(labels)
        bucket = bisect_left(self.metric.buckets, amount)
        with self._lock:
            if values not in self._values:
                values = self._admitted(values)
                self._counts.setdefault(values, [0] * (len(self.metric.buckets) + 1))
            self._values[values] = self._values.get(values, 0) + amount
            self._counts[values][bucket] += 1

    def render(self) -> Iterator[str]:
        """Yield the lines of this metric."""
        name, labels = self.metric.name, self.metric.labels
        yield f"# HELP {name} {self.metric.help}"
        yield f"# TYPE {name} {self.metric.kind.value}"
        with self._lock:
            found = [(values, total, list(self._counts[values])) for values, total in self._values.items()]
        bounds = (*(_number(bound) for bound in self.metric.buckets), "+Inf")
        for values, total, counts in found:
            for bound, reached in zip(bounds, accumulate(counts), strict=True):
                yield f"{name}_bucket{_braces((*labels, 'le'), (*values, bound))} {reached}"
            yield f"{name}_sum{_braces(labels, values)} {_number(total)}"
            yield f"{name}_count{_braces(labels, values)} {sum(counts)}"


_FAMILIES: Final[Mapping[Kind, type[_Family]]] = {
    Kind.COUNTER: _Family,
    Kind.GAUGE: _Family,
    Kind.HISTOGRAM: _Histogram,
}


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, str]], Values]:
    """Return what takes the labels' values in the metric's own order; KeyError if they are not exactly those."""
    count = len(names)

    def pick(labels: Mapping[str, str]) -> Values:
        if len(labels) != count:
            raise KeyError(f"needs the labels {names}")
        return tuple([labels[name] for name in names])

    return pick


def _read(source: Callable[[], float]) -> dict[Values, float]:
    try:
        return {(): source()}
    except Exception:  # noqa: BLE001 - a broken source must not take the other numbers away
        return {}


def _braces(names: tuple[str, ...], values: Values) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
