"""The daemon's numbers, in the text format of Prometheus, served on the internal listener.

Owns the list of metrics, and the bound on their series; the only home of prometheus-client.
Thread-safe; a count costs about a microsecond and never blocks on anything but another count. Label
values come from closed sets; whatever escapes them is bounded: after 300 combinations of one
metric, further ones are counted under `other`.

Several processes of one daemon answer with their sum where PROMETHEUS_MULTIPROC_DIR names an empty
folder for them before they start.

Minted tokens without `advance` among an application's reasons mean that the proxy in front
of it drops Set-Cookie.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import Any, Final, Generic, TypeAlias, TypeVar

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import Metric as Samples
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import CollectorRegistry

MOST_SERIES: Final = 300
OTHER: Final = "other"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BYTES: Final = (1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0, 300_000.0, 1_000_000.0)
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

Values: TypeAlias = tuple[str, ...]
SeriesT = TypeVar("SeriesT", Counter, Gauge, Histogram)

# When a series began is of no use here, and would be a second series for each. The library gives this no types.
disable_created_metrics()  # type: ignore[no-untyped-call]


class MetricKind(Enum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what it is called, what it means and what tells its series apart."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: Final = (
    Metric("identityd_build_info", MetricKind.GAUGE, "1, with what runs as its labels.", ("version", "python")),
    Metric("identityd_checks_total", MetricKind.COUNTER, "Session checks answered.", ("app", "verdict", "reason")),
    Metric("identityd_tokens_minted_total", MetricKind.COUNTER, "Tokens handed out.", ("app",)),
    Metric(
        "identityd_logins_total", MetricKind.COUNTER, "Logins: begun, and what became of them.", ("provider", "outcome")
    ),
    Metric("identityd_sign_ups_total", MetricKind.COUNTER, "Sign-ups, by how they ended.", ("provider", "outcome")),
    Metric(
        "identityd_provider_logouts_total",
        MetricKind.COUNTER,
        "Logouts that providers told of, by what they ended.",
        ("provider", "outcome"),
    ),
    Metric(
        "identityd_security_events_total",
        MetricKind.COUNTER,
        "Security events that providers told of, by what became of them.",
        ("provider", "event", "outcome"),
    ),
    Metric(
        "identityd_upstream_tokens_total",
        MetricKind.COUNTER,
        "Providers' tokens for applications: handed out, refreshed, or why not.",
        ("provider", "outcome"),
    ),
    Metric(
        "identityd_starts_total", MetricKind.COUNTER, "Start codes: issued, opened, kept, refused.", ("app", "outcome")
    ),
    Metric("identityd_sessions_opened_total", MetricKind.COUNTER, "Sessions opened."),
    Metric("identityd_sessions_ended_total", MetricKind.COUNTER, "Sessions ended.", ("reason",)),
    Metric("identityd_copies_total", MetricKind.COUNTER, "Signs that a session's cookies were copied.", ("reason",)),
    Metric("identityd_store_errors_total", MetricKind.COUNTER, "Requests that failed with their store.", ("code",)),
    Metric(
        "identityd_store_corrupt_total", MetricKind.COUNTER, "Cached values that none of our daemons wrote.", ("kind",)
    ),
    Metric("identityd_pool_wait_seconds", MetricKind.HISTOGRAM, "Waiting for a thread.", ("pool",), SECONDS),
    Metric("identityd_secrets_refused_total", MetricKind.COUNTER, "Wrong secrets of applications.", ("app",)),
    Metric("identityd_requests_total", MetricKind.COUNTER, "Answers given.", ("listener", "status")),
    Metric("identityd_request_seconds", MetricKind.HISTOGRAM, "From request to answer.", ("listener",), SECONDS),
    Metric("identityd_provider_calls_total", MetricKind.COUNTER, "Calls to a login provider.", ("provider", "outcome")),
    Metric(
        "identityd_provider_bytes", MetricKind.HISTOGRAM, "Bytes per call to a login provider.", ("provider",), BYTES
    ),
    Metric(
        "identityd_provider_up", MetricKind.GAUGE, "1 unless a provider without answers is left alone.", ("provider",)
    ),
    Metric("identityd_gathered_checks", MetricKind.HISTOGRAM, "Checks per round trip to the session store.", (), SIZES),
    Metric("identityd_audit_waiting", MetricKind.GAUGE, "Audit rows not yet written."),
    Metric(
        "identityd_audit_withheld_total",
        MetricKind.COUNTER,
        "Audit rows beyond what one may cause; each is in the log.",
    ),
    Metric("identityd_audit_dropped_total", MetricKind.COUNTER, "Audit rows lost; each is in the log."),
    Metric("identityd_node_up", MetricKind.GAUGE, "1 if the memcached node is usable.", ("node",)),
    Metric(
        "identityd_node_silent_total", MetricKind.COUNTER, "Calls a memcached node did not answer in time.", ("node",)
    ),
    Metric("identityd_node_full", MetricKind.GAUGE, "1 if the store of sessions takes nothing new.", ("node",)),
    Metric("identityd_node_refused_total", MetricKind.COUNTER, "Values there was no memory for.", ("node",)),
    Metric("identityd_accounts_up", MetricKind.GAUGE, "1 if the account store answered the last /readyz."),
    Metric("identityd_cassandra_calls_total", MetricKind.COUNTER, "Statements sent to Cassandra.", ("kind",)),
    Metric(
        "identityd_config_reloads_total",
        MetricKind.COUNTER,
        "Times the configuration was read again, by what became of it: applied, unchanged, refused.",
        ("outcome",),
    ),
    Metric("identityd_config_restart_needed", MetricKind.GAUGE, "1 if something in the file waits for a restart."),
    Metric("identityd_key_newest", MetricKind.GAUGE, "Number of the newest key this daemon knows."),
    Metric("identityd_key_signing", MetricKind.GAUGE, "Number of the key that signs."),
)


class Metrics:
    """The numbers of one daemon. A name that is not in the table, or wrong labels, raise KeyError."""

    def __init__(self, metrics: tuple[Metric, ...] = METRICS) -> None:
        self._counters = {
            each.name: _Family(each, Counter(each.name, each.help, each.labels, registry=None))
            for each in metrics
            if each.kind is MetricKind.COUNTER
        }
        # Of several processes the one that spoke last knows.
        self._gauges = {
            each.name: _Family(
                each, Gauge(each.name, each.help, each.labels, registry=None, multiprocess_mode="mostrecent")
            )
            for each in metrics
            if each.kind is MetricKind.GAUGE
        }
        self._histograms = {
            each.name: _Family(each, Histogram(each.name, each.help, each.labels, registry=None, buckets=each.buckets))
            for each in metrics
            if each.kind is MetricKind.HISTOGRAM
        }
        self._families: Mapping[str, _Family[Any]] = {**self._counters, **self._gauges, **self._histograms}

    def count(self, name: str, /, **labels: str) -> None:
        """Add one to a counter."""
        self._counters[name].series(labels).inc()

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add one measurement to a histogram; durations are in seconds."""
        self._histograms[name].series(labels).observe(value)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._gauges[name].series(labels).set(value)

    def watch(self, name: str, read: Callable[[], float], /) -> None:
        """Let a gauge or counter without labels be read from its source when it is rendered."""
        self._families[name].source = read

    def render(self) -> bytes:
        """Return all of them in the text format 0.0.4; a source that fails is left out."""
        return generate_latest(self)

    def collect(self) -> Iterator[Samples]:
        """Yield the samples of every metric; of all processes where several share a folder."""
        together = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        if together:
            # The library gives this one no types.
            yield from MultiProcessCollector(CollectorRegistry()).collect()  # type: ignore[no-untyped-call]
        for family in self._families.values():
            if family.source or not together:
                yield from family.collect()


class _Family(Generic[SeriesT]):
    """The series of one metric, by the values of its labels."""

    def __init__(self, metric: Metric, series: SeriesT) -> None:
        self.source: Callable[[], float] | None = None
        self._metric = metric
        self._pick = _picker(metric.labels)
        self._all: SeriesT = series
        self._lock = Lock()
        self._series: dict[Values, SeriesT] = {} if metric.labels else {(): self._all}

    def series(self, labels: Mapping[str, str]) -> SeriesT:
        """Return the series of these labels, or the one that is shared by all beyond the bound."""
        values = self._pick(labels)
        found = self._series.get(values)
        return found if found is not None else self._new(values)

    def collect(self) -> Iterable[Samples]:
        """Return the samples, of the source if there is one."""
        if self.source is None:
            counted: Iterable[Samples] = self._all.collect()
            return counted
        name = self._metric.name
        read = Samples(name.removesuffix("_total"), self._metric.help, self._metric.kind.value)
        try:
            read.add_sample(name, {}, self.source())
        except Exception:  # noqa: BLE001 - a broken source must not take the other numbers away
            return ()
        return (read,)

    def _new(self, values: Values) -> SeriesT:
        with self._lock:
            if len(self._series) >= MOST_SERIES and values not in self._series:
                values = (OTHER,) * len(values)
            if values not in self._series:
                self._series[values] = self._all.labels(*values)
            return self._series[values]


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, str]], Values]:
    """Return what takes the labels' values in the metric's own order; KeyError if they are not exactly those."""
    count = len(names)

    def pick(labels: Mapping[str, str]) -> Values:
        if len(labels) != count:
            raise KeyError(f"needs the labels {names}")
        return tuple([labels[name] for name in names])

    return pick
