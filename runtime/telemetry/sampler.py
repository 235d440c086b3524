"""Sampling beside a benchmark: a thread that reads every source at a fixed rate and measures its own cost.

Times come from time.perf_counter_ns, which on Linux, macOS and Windows is one clock for all processes, so
latency samples taken in a worker process can be set beside the readings.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dcgan_edge.errors import UsageError

from .reader import Opener, Reader, Unreadable, read_or, unit_of
from .record import IDLE, Cost, Series, Telemetry, Window
from .sources.clocks import open_cpu, open_emc, open_gpu
from .sources.cpu_limit import open_cpu_limit
from .sources.jetson_stats import open_jtop
from .sources.nvml import open_nvml
from .sources.power_mode import open_power_mode
from .sources.processes import open_processes
from .sources.rails import open_rails
from .sources.rapl import open_rapl
from .sources.tegrastats import open_tegrastats
from .sources.thermal import open_temperatures, open_throttling

RATE_HZ = 5.0  # INA3221 monitors average over about that long; more often would read the same again
SOURCES: tuple[Opener, ...] = (
    open_power_mode, open_rails, open_gpu, open_emc, open_cpu, open_temperatures, open_throttling, open_rapl,
    open_cpu_limit, open_nvml, open_processes,
)  # fmt: skip
FALLBACKS: tuple[Opener, ...] = (open_tegrastats, open_jtop)  # where a Jetson's rails cannot be read as files
Clock = Callable[[], int]


class Recorder:
    """Collects readings until it is closed. Use `sample_telemetry`, which makes and closes one."""

    def __init__(
        self, readers: Sequence[Reader], unreadable: Sequence[Unreadable], rate_hz: float, clock: Clock
    ) -> None:
        self._readers, self._unreadable, self._rate_hz, self._clock = readers, unreadable, rate_hz, clock
        self._series: dict[str, tuple[list[int], list[float]]] = {}
        self._source: dict[str, str] = {}
        self._due = dict.fromkeys((reader.name for reader in readers), 0)
        self._windows: list[Window] = []
        self._took_ns: list[int] = []
        self._late = 0
        self._cpu_ns = 0
        self._start = self._stop = clock()

    @contextlib.contextmanager
    def window(self, label: str) -> Iterator[None]:
        """Mark what runs inside as `label`; the same label may be used again and again."""
        start = self._clock()
        yield
        self._windows.append(Window(label, start, self._clock()))

    def mark(self, label: str, start_ns: int, stop_ns: int) -> None:
        """Mark a stretch that is over as `label`, on the clock of the readings."""
        self._windows.append(Window(label, start_ns, stop_ns))

    def latest(self) -> dict[str, float]:
        """Return the last value of every reading so far."""
        return {name: values[-1] for name, (_, values) in list(self._series.items()) if values}

    @property
    def limits(self) -> dict[str, float]:
        """Return what a place does not exceed unless something is wrong, by reading."""
        return {name: limit for reader in reversed(self._readers) for name, limit in reader.limits.items()}

    def idle(self, seconds: float, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Record the machine at rest for so long. Call it when everything is loaded and nothing runs."""
        with self.window(IDLE):
            sleep(seconds)

    def tick(self, *, every_source: bool = False) -> None:
        """Read each source that is due once. A reading is dated to the middle of its source's read."""
        cpu, start = time.thread_time_ns(), self._clock()
        for reader in self._readers:
            before = self._clock()
            if before < self._due[reader.name] and not every_source:
                continue
            self._due[reader.name] = before + int(reader.interval_s * 1e9)
            values = reader.read()
            self._keep(reader.name, (before + self._clock()) // 2, values)
        self._stop = self._clock()
        self._took_ns.append(self._stop - start)
        self._cpu_ns += time.thread_time_ns() - cpu

    def _keep(self, source: str, time_ns: int, values: dict[str, float]) -> None:
        """Two sources may know the same reading: the first to have it keeps it."""
        for name, value in values.items():
            if self._source.setdefault(name, source) == source:
                times, kept = self._series.setdefault(name, ([], []))
                times.append(time_ns)
                kept.append(value)

    def run(self, stop: threading.Event, started: threading.Event) -> None:
        """Tick at the rate until `stop`, and once more. Ticks that are overdue are left out and counted."""
        period = int(1e9 / self._rate_hz)
        due = self._clock()
        try:
            self.tick(every_source=True)
        finally:
            started.set()
        while True:
            due += period
            behind = (self._clock() - due) // period
            if behind > 0:
                self._late += behind
                due += behind * period
            if stop.wait(max(0, due - self._clock()) / 1e9):
                break
            self.tick()
        self.tick(every_source=True)

    def telemetry(self) -> Telemetry:
        """Everything recorded so far."""
        seconds, samples = (self._stop - self._start) / 1e9, len(self._took_ns)
        return Telemetry(
            rate_hz=self._rate_hz,
            series=tuple(
                Series(name, unit_of(name), tuple(times), tuple(values))
                for name, (times, values) in sorted(self._series.items())
            ),
            windows=tuple(self._windows),
            facts={reader.name: dict(reader.facts) for reader in self._readers if reader.facts},
            limits=self.limits,
            unreadable=tuple(self._unreadable),
            cost=Cost(
                samples=samples,
                cpu_share=self._cpu_ns / 1e9 / seconds if seconds > 0 else 0.0,
                mean_sample_s=sum(self._took_ns) / 1e9 / samples if samples else 0.0,
                longest_sample_s=max(self._took_ns, default=0) / 1e9,
                late=self._late,
            ),
        )


@contextlib.contextmanager
def sample_telemetry(
    *,
    rate_hz: float = RATE_HZ,
    root: Path = Path("/"),
    sources: Sequence[Opener] = SOURCES,
    clock: Clock = time.perf_counter_ns,
) -> Iterator[Recorder]:
    """Sample everything that can be read, `rate_hz` times a second, until the block ends.

    What cannot be read is a sentence in the record. `recorder.telemetry()` is the record; take it after the
    block, when the last sample is in. Raises UsageError for a rate of 0 or less.
    """
    if not rate_hz > 0:
        raise UsageError(f"A sampling rate is above 0 Hz, not {rate_hz}.")
    readers, unreadable = open_sources(root, sources)
    recorder = Recorder(readers, unreadable, rate_hz, clock)
    stop, started = threading.Event(), threading.Event()
    faults: list[BaseException] = []

    def work() -> None:
        try:
            recorder.run(stop, started)
        except BaseException as fault:  # handed to the caller below, a thread would only print it
            faults.append(fault)

    thread = threading.Thread(target=work, name="telemetry", daemon=True)
    try:
        thread.start()
        started.wait()
        yield recorder
    finally:
        stop.set()
        thread.join()
        for reader in readers:
            reader.close()
    if faults:
        raise faults[0]


def open_sources(root: Path, sources: Sequence[Opener]) -> tuple[list[Reader], list[Unreadable]]:
    """Open what can be opened, and say why the rest cannot be. On a Jetson whose rails cannot be read as
    files the first of the fallbacks that opens stands in for them.
    """
    opened = {opener: opener(root) for opener in sources}
    if isinstance(opened.get(open_rails), Unreadable) and _is_jetson(root):
        for opener in FALLBACKS:
            opened[opener] = opener(root)
            if not isinstance(opened[opener], Unreadable):
                break
    return (
        [reader for reader in opened.values() if not isinstance(reader, Unreadable)],
        [reader for reader in opened.values() if isinstance(reader, Unreadable)],
    )


def _is_jetson(root: Path) -> bool:
    return (root / "etc/nv_tegra_release").exists() or "nvidia,tegra" in read_or(
        root / "proc/device-tree/compatible"
    )
