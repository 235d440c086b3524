"""`python -m benchmarks.shards_proof`: shards in random order, killed and repeated, end as one run does.

A set is written by one run. The same set is written as many shards in random order: half of them by
`dcgan-edge sample --shard` in processes of their own, a third of all killed (SIGKILL) at a file of chance and
repeated, the other half over Ray, and some of these lose a worker (SIGKILL) after its first file. Exit code 3
when any byte differs, or when `check` finds the set incomplete.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.command import errors_said
from benchmarks.many_seeds import make_artifact
from dcgan_edge.errors import EdgeError, VerificationError
from dcgan_edge.sample_sets.checking import check_samples
from dcgan_edge.sample_sets.plan import SetFormat, Shard, file_name
from dcgan_edge.sampling import sample

ACTOR = b"MapWorker(MapBatches(FileTask))"  # in the title of the process of an actor of ours
LONGEST_S = 120.0  # until a process has begun a file
RAY_KILLS = 4  # every so many shards over Ray lose a worker


@dataclass(frozen=True)
class Work:
    """The request that both sets come from."""

    artifact: Path
    images: int
    per_file: int
    format: SetFormat

    @property
    def files(self) -> int:
        """The number of files in all."""
        return -(-self.images // self.per_file)

    def start(self, out: Path, shard: Shard) -> subprocess.Popen[bytes]:
        """Start `dcgan-edge sample` for `shard`."""
        command = [sys.executable, "-m", "dcgan_edge", "sample", str(self.artifact), "--threads", "1"]
        command += ["--seeds", f"0-{self.images - 1}", "--format", self.format, "--out", str(out)]
        command += ["--per-file", str(self.per_file), "--shard", str(shard)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def run(self, out: Path, shard: Shard) -> None:
        """Write `shard` to its end. Raises EdgeError when that fails."""
        if self.start(out, shard).wait():
            raise EdgeError("dcgan-edge sample failed; its message stands above.")

    def run_killed(self, out: Path, shard: Shard, chance: random.Random) -> bool:
        """Kill the writing of `shard` once a file of chance is begun; return whether it was unfinished."""
        name = file_name(self.format, chance.choice(shard.of(self.files)))
        process = self.start(out, shard)
        until = time.monotonic() + LONGEST_S
        while process.poll() is None and time.monotonic() < until:
            if any(out.glob(f".{name}.*.tmp")) or (out / name).exists():
                break
            time.sleep(0.001)
        process.kill()
        process.wait()
        last = file_name(self.format, shard.of(self.files)[-1])
        return not (out / f"{last}.json").exists()

    def run_over_ray(self, out: Path, shard: Shard, *, kill: bool) -> int:
        """Write `shard` by an actor of Ray, and kill that when it has written a file; return the kills."""
        killed: list[int] = []

        def told(done: int, total: int) -> None:
            if kill and not killed and done < total:
                killed.extend(kill_actors())

        sample(
            self.artifact, range(self.images), out, format=self.format, per_file=self.per_file, threads=1,
            shard=(shard.number, shard.count), engine="ray", workers=1, progress=told,
        )  # fmt: skip
        return len(killed)


@click.command()
@click.option("--shards", default=64, show_default=True, help="Number of shards.")
@click.option("--images", default=12_800, show_default=True, help="Number of images.")
@click.option("--per-file", default=50, show_default=True, help="Images in a file.")
@click.option("--format", "shape", type=click.Choice(("webdataset", "parquet")), default="webdataset")
@click.option("--seed", default=0, show_default=True, help="Seed of the order and of the kills.")
@click.option(
    "--half",
    type=click.Choice(("both", "processes", "ray")),
    default="both",
    show_default=True,
    help="Do one half now and the other later, in the same --out.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Keep both sets in this folder.")
@errors_said()
def main(
    shards: int, images: int, per_file: int, shape: SetFormat, seed: int, half: str, out: Path | None
) -> None:
    """Write one set twice, once as shards with kills, and compare all bytes."""
    chance = random.Random(seed)
    order = chance.sample(range(shards), shards)
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary)
        artifact = folder / "generator.fp32.onnx"
        work = Work(artifact if artifact.is_file() else make_artifact(folder), images, per_file, shape)
        work.run(folder / "one", Shard(0, 1))
        click.echo(f"one run: {work.files} files", err=True)
        if half != "ray":
            by_processes(work, folder / "many", order[: shards // 2], shards, chance)
        if half != "processes":
            over_ray(work, folder / "many", order[shards // 2 :], shards)
            click.echo(compared(folder, shards))


def by_processes(work: Work, out: Path, order: list[int], shards: int, chance: random.Random) -> None:
    """Write the shards of `order` by processes, of which a third of all `shards` are killed and repeated."""
    killed, unfinished = order[: shards // 3], 0
    for number in killed:
        unfinished += work.run_killed(out, Shard(number, shards), chance)
    for number in order[shards // 3 :]:
        work.run(out, Shard(number, shards))
    for number in chance.sample(killed, len(killed)):  # again, in another order
        work.run(out, Shard(number, shards))
    click.echo(
        f"by processes: {len(order)} of {shards} shards in random order, of which {len(killed)} were killed, "
        f"{unfinished} of them unfinished, and repeated"
    )


def over_ray(work: Work, out: Path, order: list[int], shards: int) -> None:
    """Write the shards of `order` over one Ray; every RAY_KILLS-th of them loses a worker."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.update(RAY_worker_niceness="0")  # it is 15, and on a busy machine workers would hardly run
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
    total = 0
    for place, number in enumerate(order):
        shard = Shard(number, shards)
        if all((out / f"{file_name(work.format, each)}.json").exists() for each in shard.of(work.files)):
            continue  # by an earlier run in the same --out
        workers = work.run_over_ray(out, shard, kill=place % RAY_KILLS == 0)
        click.echo(f"over Ray: {shard}, {workers} workers killed")
        total += workers
    ray.shutdown()
    click.echo(f"over Ray: {len(order)} of {shards} shards in random order, {total} workers killed just now")


def compared(folder: Path, shards: int) -> str:
    """Return in words that both sets are equal. Raises VerificationError when they are not, or not whole."""
    found = check_samples(folder / "many")
    found.raise_if_failed()
    one, many = digests(folder / "one"), digests(folder / "many")
    if one != many:
        names = sorted(name for name in one | many if one.get(name) != many.get(name))
        raise VerificationError(f"{len(names)} files differ: {', '.join(names[:5])}.")
    size = sum(path.stat().st_size for path in (folder / "many").iterdir())
    whole = hashlib.sha256("".join(one.values()).encode()).hexdigest()
    return (
        f"{shards} shards of {found.images:,} images: {len(one)} files, {size / 2**20:.1f} MiB, "
        f"byte-identical to one run ({whole[:16]})"
    )


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in `folder`, hidden ones too, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def kill_actors() -> list[int]:
    """Kill (SIGKILL) the processes of our actors that descend from this one; return their ids."""
    parents, actors = {}, []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            title = (entry / "cmdline").read_bytes()
        except OSError:  # it has gone
            continue
        parents[int(entry.name)] = int(stat[1])
        if ACTOR in title:
            actors.append(int(entry.name))
    own = [actor for actor in actors if os.getpid() in _ancestors(actor, parents)]
    for actor in own:
        os.kill(actor, signal.SIGKILL)
    return own


def _ancestors(process: int, parents: dict[int, int]) -> list[int]:
    found = []
    while process in parents:
        process = parents[process]
        found.append(process)
    return found


if __name__ == "__main__":
    main()
