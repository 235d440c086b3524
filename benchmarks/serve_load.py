"""`python -m benchmarks.serve_load ARTIFACT`: a server under load, from a client in a process of its own.

Throughput beside that of `bench` at the same batch and threads, latency at 50 % and 90 % of what it can,
overload, clients that are killed, SIGTERM in the middle, and memory over many minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.command import errors_said
from benchmarks.serve_client import LOST, Connection, closed_loop, get, infer, open_loop
from dcgan_edge.artifact import read_artifact
from dcgan_edge.benchmarking import bench
from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.bench.intervals import estimate

MODEL = "loaded"
SEEDS = 64  # blocks or batches that requests go round in
SHARES = (0.5, 0.9)
PARTS = ("throughput", "latency", "overload", "killed", "drain", "memory")


@dataclass(frozen=True)
class Settings:
    """What all parts share: artifact, images per call, CPU threads of the session, clients, seconds."""

    artifact: Path
    batch: int
    threads: int | None
    clients: int
    seconds: float
    rounds: int

    @property
    def words(self) -> list[str]:
        """Return the options of `dcgan-edge serve`."""
        return ["--max-batch", str(self.batch), *(["--threads", str(self.threads)] if self.threads else [])]

    def infers(self) -> list[bytes]:
        """Return requests for one full call each, by the Open Inference Protocol in binary."""
        architecture = read_artifact(self.artifact)[0].architecture
        latents = architecture.inputs(range(SEEDS * self.batch))
        return [infer(MODEL, latents[at : at + self.batch]) for at in range(0, len(latents), self.batch)]

    def samples(self, form: str) -> list[bytes]:
        """Return requests for one whole block of seeds each."""
        starts = range(0, SEEDS * self.batch, self.batch)
        return [get(f"/v1/samples?seeds={at}-{at + self.batch - 1}&format={form}") for at in starts]


@dataclass(frozen=True)
class Running:
    """A server in a process of its own, and where it listens."""

    process: subprocess.Popen[str]
    address: tuple[str, int]

    def figures(self) -> dict[str, float]:
        """Return what it says of its queue, and what the system says of its process: MiB, threads, files."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.address[1]}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        names = ("occupied_images", "waiting_parts", "withdrawn_total", "refused_total", "calls_total")
        found = {
            name: float(re.findall(rf"^dcgan_edge_{name}{{.*}} (\S+)$", text, re.M)[0]) for name in names
        }
        folder = Path("/proc", str(self.process.pid))
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        return found | {
            "mib": int(status["VmRSS"].split()[0]) / 1024,
            "threads": float(status["Threads"]),
            "files": float(len(list((folder / "fd").iterdir()))),
        }


@contextlib.contextmanager
def running(settings: Settings, *words: str) -> Iterator[Running]:
    """Start `dcgan-edge serve` on a free port, and end it with the block."""
    command = [sys.executable, "-m", "dcgan_edge", "serve", f"{MODEL}={settings.artifact}", "--port", "0"]
    with subprocess.Popen(
        [*command, *settings.words, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
            if found is None:
                raise EdgeError(f"The server did not start: {said}{process.stderr.read()}")
            yield Running(process, ("127.0.0.1", int(found[1])))
        finally:
            process.kill()


def throughput(settings: Settings) -> dict[str, Any]:
    """Return images per second of `bench` and of each kind of request, and their ratios, round by round."""
    kinds = {"infer": settings.infers(), "npy": settings.samples("npy"), "grid": settings.samples("grid")}
    rates: dict[str, list[float]] = {"bench": [], **{name: [] for name in kinds}}
    with running(settings) as server:
        for _ in range(settings.rounds):
            threads = [] if settings.threads is None else [settings.threads]
            report = bench(
                settings.artifact, batches=[settings.batch], threads=threads, duration_s=settings.seconds,
                max_time_s=settings.seconds,
            )  # fmt: skip
            rates["bench"].append(report.measurements[0].images_per_second)
            for name, requests in kinds.items():
                load = closed_loop(
                    server.address, requests, clients=settings.clients, seconds=settings.seconds
                )
                rates[name].append(settings.batch * load.rate)
    ratios = {
        name: vars(
            estimate([ours / theirs for ours, theirs in zip(rates[name], rates["bench"], strict=True)])
        )
        for name in kinds
    }
    return {"images_per_second": {name: statistics.median(each) for name, each in rates.items()},
            "ratio_to_bench": ratios, "rounds": rates}  # fmt: skip


def latency(settings: Settings) -> dict[str, Any]:
    """Return p50 and p99 of requests for one image at shares of the most that such requests came to."""
    architecture = read_artifact(settings.artifact)[0].architecture
    latents = architecture.inputs(range(SEEDS))
    requests = [infer(MODEL, latents[at : at + 1]) for at in range(SEEDS)]
    found: dict[str, Any] = {}
    with running(settings) as server:
        clients = 4 * settings.clients
        peak = closed_loop(server.address, requests, clients=clients, seconds=settings.seconds)
        found["peak_requests_per_second"] = peak.rate
        for share in SHARES:
            load = open_loop(
                server.address, requests, rate=share * peak.rate, clients=2 * clients,
                seconds=2 * settings.seconds,
            )  # fmt: skip
            found[f"at_{share:.0%}"] = {
                "requests_per_second": load.rate, "statuses": dict(load.statuses),
                "p50_ms": load.percentile_ms(50), "p99_ms": load.percentile_ms(99),
            }  # fmt: skip
    return found


def overload(settings: Settings) -> dict[str, Any]:
    """Return what came back when far more was asked than may wait, and the latency before and after."""
    requests, quiet = settings.samples("npy"), {"clients": 1, "seconds": settings.seconds / 2}
    with running(settings, "--max-queue", str(2 * settings.batch)) as server:
        before = closed_loop(server.address, requests, **quiet)  # type: ignore[arg-type]  # both as named
        load = closed_loop(server.address, requests, clients=8 * settings.clients, seconds=settings.seconds)
        after = closed_loop(server.address, requests, **quiet)  # type: ignore[arg-type]
        return {
            "statuses": dict(load.statuses), "retry_after": dict(load.retry_after),
            "p50_ms_before": before.percentile_ms(50), "p50_ms_after": after.percentile_ms(50),
            "statuses_after": dict(after.statuses), **server.figures(),
        }  # fmt: skip


def killed(
    settings: Settings, count: int = 1000, *, warm_s: float = 2.0, settle_s: float = 1.0
) -> dict[str, Any]:
    """Return the figures of the server before and after `count` clients that were killed in their request.

    It is warmed for `warm_s`, and closed connections have `settle_s` to leave every table.
    """
    requests = [*settings.samples("png"), *settings.infers()]
    with running(settings) as server:
        closed_loop(server.address, requests, clients=settings.clients, seconds=warm_s)
        time.sleep(settle_s)
        before = server.figures()
        for number in range(count):
            whole = requests[number % len(requests)]
            request = whole if number % 3 else whole[: len(whole) // 2]
            Connection(server.address).abandon(request, 0.002 * (number % 4))
        time.sleep(settle_s)
        after = server.figures()
        last = Connection(server.address)
        status = last.ask(requests[0])[0]
        last.close()
    return {"killed": count, "before": before, "after": after, "next_status": status}


def drain(settings: Settings) -> dict[str, Any]:
    """Return what came back to clients that asked on while the server got SIGTERM, and its exit code."""
    with running(settings) as server:
        asking = threading.Timer(settings.seconds / 2, server.process.send_signal, (signal.SIGTERM,))
        asking.start()
        load = closed_loop(
            server.address, settings.samples("npy"), clients=2 * settings.clients, seconds=60.0
        )
        code = server.process.wait(60)
    return {"statuses": dict(load.statuses), "lost": load.statuses[LOST], "exit_code": code}


def memory(settings: Settings, minutes: float, rate: float) -> dict[str, Any]:
    """Return the memory of the server while it is asked for everything `rate` times a second, ten times over
    `minutes`.
    """
    requests = [*settings.infers(), *settings.samples("npy"), *settings.samples("png")]
    found = []
    with running(settings) as server:
        for _ in range(10):
            load = open_loop(
                server.address, requests, rate=rate, clients=settings.clients, seconds=minutes * 6.0
            )
            found.append({"requests": load.statuses[200], **server.figures()})
    return {"minutes": minutes, "mib": [each["mib"] for each in found], "last": found[-1],
            "requests": sum(each["requests"] for each in found)}  # fmt: skip


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(PARTS), help="Do this alone; may be repeated."
)
@click.option("--batch", default=16, show_default=True, type=click.IntRange(1), help="Images per call.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the session. [default: its own]")
@click.option("--clients", default=4, show_default=True, type=click.IntRange(1), help="Connections.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of each piece.")
@click.option("--rounds", default=8, show_default=True, type=click.IntRange(1), help="Rounds of throughput.")
@click.option("--minutes", default=0.0, show_default=True, help="Time for memory; 0 leaves it out.")
@click.option(
    "--rate", default=60.0, show_default=True, help="Requests per second while memory is looked at."
)
@errors_said()
def main(
    artifact: Path, parts: Sequence[str], batch: int, threads: int | None, clients: int, seconds: float,
    rounds: int, minutes: float, rate: float,
) -> None:  # fmt: skip
    """Put `dcgan-edge serve ARTIFACT` under load and print what it did, as JSON."""
    settings = Settings(artifact.absolute(), batch, threads, clients, seconds, rounds)
    todo: dict[str, Callable[[], dict[str, Any]]] = {
        "throughput": lambda: throughput(settings),
        "latency": lambda: latency(settings),
        "overload": lambda: overload(settings),
        "killed": lambda: killed(settings),
        "drain": lambda: drain(settings),
    }
    if minutes > 0:
        todo["memory"] = lambda: memory(settings, minutes, rate)
    for name, part in todo.items():
        if not parts or name in parts:
            click.echo(json.dumps({name: part()}, indent=2))


if __name__ == "__main__":
    main()
