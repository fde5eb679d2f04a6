"""Counting and its text form."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from identity.metrics import METRICS, MOST_SERIES, Metric, MetricKind, Metrics
from tests.support.sources import tree

ROOT = Path(__file__).parents[2]


def lines(registry: Metrics, name: str) -> list[str]:
    """Return the samples of one metric."""
    return [line for line in registry.render().decode().splitlines() if re.match(rf"{name}(_\w+)?[{{ ]", line)]


def test_a_counter_counts_by_its_labels() -> None:
    """An operator sees which application gets which answers."""
    registry = Metrics()
    for reason in ("current", "current", "stale"):
        registry.count("identityd_checks_total", verdict="ok", reason=reason, app="wiki")
    assert lines(registry, "identityd_checks_total") == [
        'identityd_checks_total{app="wiki",reason="current",verdict="ok"} 2.0',
        'identityd_checks_total{app="wiki",reason="stale",verdict="ok"} 1.0',
    ]


def test_a_counter_without_labels_is_there_from_the_start() -> None:
    """A rate over a series that appears with its first event misses that event."""
    assert lines(Metrics(), "identityd_sessions_opened_total") == ["identityd_sessions_opened_total 0.0"]


def test_a_histogram_is_cumulative_and_has_a_sum() -> None:
    """Quantiles are computed from it elsewhere."""
    registry = Metrics((Metric("t", MetricKind.HISTOGRAM, "T.", ("pool",), (0.1, 1.0)),))
    for value in (0.05, 0.1, 0.5, 7):
        registry.observe("t", value, pool="a")
    assert lines(registry, "t") == [
        't_bucket{le="0.1",pool="a"} 2.0',
        't_bucket{le="1.0",pool="a"} 3.0',
        't_bucket{le="+Inf",pool="a"} 4.0',
        't_count{pool="a"} 4.0',
        't_sum{pool="a"} 7.65',
    ]


def test_a_gauge_is_set_or_read_from_its_source() -> None:
    """Depths and states are what they are when asked."""
    registry = Metrics()
    registry.set("identityd_node_up", 1, node="one")
    registry.set("identityd_node_up", 0, node="one")
    registry.watch("identityd_audit_waiting", lambda: 3)
    assert lines(registry, "identityd_node_up") == ['identityd_node_up{node="one"} 0.0']
    assert lines(registry, "identityd_audit_waiting") == ["identityd_audit_waiting 3.0"]


def test_a_source_that_fails_takes_nothing_else_away() -> None:
    """Monitoring is needed most when something is broken."""
    registry = Metrics()
    registry.watch("identityd_audit_waiting", lambda: 1 / 0)
    assert lines(registry, "identityd_audit_waiting") == []
    assert lines(registry, "identityd_audit_dropped_total") == ["identityd_audit_dropped_total 0.0"]


def test_a_label_value_cannot_break_the_format() -> None:
    """One odd value would make the whole page unreadable for the monitoring."""
    registry = Metrics((Metric("n_total", MetricKind.COUNTER, "N.", ("v",)),))
    registry.count("n_total", v='a"b\\c\nd')
    assert lines(registry, "n") == ['n_total{v="a\\"b\\\\c\\nd"} 1.0']


def test_series_are_bounded_and_the_rest_is_counted_together() -> None:
    """A value that strangers choose must not fill the memory."""
    registry = Metrics(
        (Metric("n_total", MetricKind.COUNTER, "N.", ("v",)), Metric("h", MetricKind.HISTOGRAM, "H.", ("v",), (1.0,)))
    )
    for number in range(MOST_SERIES + 50):
        registry.count("n_total", v=str(number))
        registry.observe("h", 2, v=str(number))
    assert len(lines(registry, "n")) == MOST_SERIES + 1
    assert 'n_total{v="other"} 50.0' in lines(registry, "n")
    assert 'h_count{v="other"} 50.0' in lines(registry, "h")


@pytest.mark.parametrize("labels", [{}, {"app": "a"}, {"app": "a", "verdict": "ok", "why": "x"}])
def test_wrong_labels_are_a_mistake_of_the_caller(labels: dict[str, str]) -> None:
    """Silently dropped, they would make two series out of one."""
    with pytest.raises(KeyError):
        Metrics().count("identityd_checks_total", **labels)


def test_counts_of_many_threads_add_up() -> None:
    """Checks are counted on the event loop and on threads."""
    registry = Metrics(
        (Metric("n_total", MetricKind.COUNTER, "N."), Metric("h", MetricKind.HISTOGRAM, "H.", (), (1.0,)))
    )

    def work() -> None:
        for _ in range(2_000):
            registry.count("n_total")
            registry.observe("h", 0.5)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines(registry, "n") == ["n_total 16000.0"]
    assert "h_count 16000.0" in lines(registry, "h")


def test_names_follow_the_rules_of_the_format() -> None:
    """Prometheus refuses the page otherwise; counters end in _total, durations in _seconds."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"identityd_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert (metric.kind is MetricKind.HISTOGRAM) == bool(metric.buckets)


def test_several_processes_answer_with_their_sum(tmp_path: Path) -> None:
    """Behind one port each process would tell of its own share, now this one, now that one."""
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    run = [sys.executable, "-c", _PROCESS]
    subprocess.run([*run, "1"], env=environ, cwd=ROOT, check=True, timeout=60)

    text = subprocess.run([*run, "2"], env=environ, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)

    said = text.stdout.splitlines()
    assert 'identityd_checks_total{app="wiki",reason="current",verdict="ok"} 3.0' in said
    assert 'identityd_pool_wait_seconds_count{pool="checks"} 3.0' in said
    assert 'identityd_node_up{node="one"} 2.0' in said
    assert "identityd_key_newest 7.0" in said


_PROCESS = """
import sys
from identity.metrics import Metrics

metrics, times = Metrics(), int(sys.argv[1])
for _ in range(times):
    metrics.count("identityd_checks_total", app="wiki", verdict="ok", reason="current")
    metrics.observe("identityd_pool_wait_seconds", 0.002, pool="checks")
metrics.set("identityd_node_up", times, node="one")
metrics.watch("identityd_key_newest", lambda: 7)
sys.stdout.buffer.write(metrics.render())
"""


def _calls() -> list[tuple[str, set[str], str]]:
    """Return name, labels and place of every count and measurement in the code."""
    found = []
    for path in sorted((ROOT / "identity").rglob("*.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.args[0].value
                if isinstance(name, str) and re.fullmatch(r"identityd_\w+", name) and path.name != "metrics.py":
                    labels = {keyword.arg for keyword in node.keywords if keyword.arg}
                    found.append((name, labels, f"{path.name}:{node.lineno}"))
    return found


def test_every_count_in_the_code_names_a_metric_and_its_labels() -> None:
    """A wrong name would fail the request that was to be counted."""
    known = {metric.name: set(metric.labels) for metric in METRICS}
    wrong = [call for call in _calls() if known.get(call[0]) != call[1]]
    assert wrong == []


def test_every_metric_is_counted_somewhere() -> None:
    """A number that never moves is taken for good news."""
    code = "".join(path.read_text() for path in (ROOT / "identity").rglob("*.py") if path.name != "metrics.py")
    assert [metric.name for metric in METRICS if f'"{metric.name}"' not in code] == []
