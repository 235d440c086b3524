"""What Prometheus reads at `/metrics`: requests, and of each model calls, images, and what waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dcgan_edge.serving.models import Models
from dcgan_edge.serving.worker import Worker

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTERS: tuple[tuple[str, str, Callable[[Worker], float]], ...] = (
    ("calls", "Calls of the session.", lambda worker: worker.calls),
    ("images", "Images computed, those included that nobody asked for.", lambda worker: worker.images),
    ("busy_seconds", "Seconds that the session has computed.", lambda worker: worker.busy_s),
    ("refused", "Requests answered 503, as too much waited.", lambda worker: worker.queue.refused),
    ("withdrawn", "Requests whose client left before the end.", lambda worker: worker.queue.withdrawn),
)
GAUGES: tuple[tuple[str, str, Callable[[Worker], float]], ...] = (
    ("waiting_parts", "Parts of requests that wait for a call.", lambda worker: worker.queue.waiting),
    ("occupied_images", "Images of requests that are in the making.", lambda worker: worker.queue.occupied),
    ("room_images", "Images above which requests are answered 503.", lambda worker: worker.queue.room),
)


class Metrics:
    """The figures of one server, in a registry of their own."""

    def __init__(self, models: Models) -> None:
        """Count for `models`, which are asked when somebody reads."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "dcgan_edge_requests",
            "Requests by route and status.",
            ("route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "dcgan_edge_request_seconds", "Seconds from a request to the end of its answer.", ("route",),
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(_PerModel(models))
        ProcessCollector(registry=self._registry)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one answer. `route` is the pattern of an address, of which there are few."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)


class _PerModel(Collector):
    def __init__(self, models: Models) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        for name, what, read in COUNTERS:
            yield self._filled(CounterMetricFamily(f"dcgan_edge_{name}", what, labels=["model"]), read)
        for name, what, read in GAUGES:
            yield self._filled(GaugeMetricFamily(f"dcgan_edge_{name}", what, labels=["model"]), read)

    def _filled(
        self, family: CounterMetricFamily | GaugeMetricFamily, read: Callable[[Worker], float]
    ) -> CounterMetricFamily | GaugeMetricFamily:
        for model in self._models.values():
            family.add_metric([model.name], read(model.worker))
        return family
