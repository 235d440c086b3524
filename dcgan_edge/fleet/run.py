"""A plan on all hosts at once, their records in one folder, and the page that compares them."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dcgan_edge.benchmark_matrix import BenchMatrix, read_plan
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.fleet.connection import ssh_program
from dcgan_edge.fleet.hosts import Host, read_hosts
from dcgan_edge.fleet.outcome import FleetRun, HostRow
from dcgan_edge.fleet.payload import Payload, artifact_payload, bundle_payload, finished_record
from dcgan_edge.fleet.visit import Errand, visit
from dcgan_edge.words import count_words

RECORDS, LOGS = "records", "logs"
PARALLEL = 16
FleetProgress = Callable[[str, str], None]  # a host's name, and what is being done there


def run_fleet(
    hosts: StrPath,
    plan: StrPath,
    *,
    out: StrPath = "fleet",
    report: StrPath | None = None,
    parallel: int = PARALLEL,
    connect_timeout_s: float = 10.0,
    timeout_s: float = 3600.0,
    progress: FleetProgress | None = None,
) -> FleetRun:
    """Measure the TOML file `plan` on all hosts in the TOML file `hosts` by SSH, up to `parallel` at a time.

    A host gets its bundle, or the plan's artifacts, and what it has already is not sent or measured again.
    Its record becomes `out`/records/NAME.json, what it said `out`/logs/NAME.log. Hosts whose record is there
    are not asked. `report` is an HTML page on all records, which names the hosts that have none.

    A host that cannot be connected to within `connect_timeout_s` or takes longer than `timeout_s` in all is a
    row of what is returned, as one that fails, and no error. `progress` is called by one thread at a time.

    Raises, before anything is sent: UsageError for files that are not there or make no sense, and for records
    of another plan in `out`; what `check_bundle` and `read_artifact` raise; UnavailableError without ssh, and
    for a `report` without jinja2 and matplotlib; EdgeError when `out` or `report` cannot be written.
    """
    program = ssh_program()
    if report is not None:
        from dcgan_edge.report import require_libraries

        require_libraries()
        check_writable(Path(report))
    listed, matrix = read_hosts(Path(hosts)), read_plan(Path(plan))
    for name in listed:
        check_writable(Path(out, LOGS, f"{name}.log"))
    with tempfile.TemporaryDirectory() as folder:
        payloads = _payloads(listed, matrix, Path(plan).parent, Path(folder))
        errands = [
            Errand(
                name, host, payloads[host.bundle], Path(out, RECORDS, f"{name}.json"),
                Path(out, LOGS, f"{name}.log"), program, connect_timeout_s, timeout_s,
            )
            for name, host in listed.items()
        ]  # fmt: skip
        here = {errand.name: _earlier(errand) for errand in errands}
        fetched = _all([errand for errand in errands if here[errand.name] is None], parallel, progress)
    rows = (here[errand.name] or fetched[errand.name] for errand in errands)
    return _reported(FleetRun(tuple(rows)), report)


def _payloads(
    hosts: Mapping[str, Host], matrix: BenchMatrix, beside: Path, folder: Path
) -> dict[str, Payload]:
    """What is sent, by the bundle that a host has; "" is none."""
    return {
        bundle: bundle_payload(Path(bundle), matrix) if bundle else artifact_payload(matrix, beside, folder)
        for bundle in dict.fromkeys(host.bundle for host in hosts.values())
    }


def _earlier(errand: Errand) -> HostRow | None:
    """The row of a host whose record is here; None where there is none yet."""
    if not errand.record.exists():
        return None
    try:
        finished_record(errand.record, errand.payload)
    except ArtifactError as error:
        raise UsageError(
            f"{error} It is in {errand.record.parent}: choose another --out, or delete it."
        ) from error
    cells = len(errand.payload.cells)
    return HostRow(errand.name, "done", "", cells, cells, errand.record, True, 0.0)


def _all(errands: list[Errand], parallel: int, progress: FleetProgress | None) -> dict[str, HostRow]:
    """The rows of all visits, `parallel` at a time. What interrupts this ends those that are under way."""
    stop, one = threading.Event(), threading.Lock()

    def told(name: str) -> Callable[[str], None]:
        def say(what: str) -> None:
            with one:
                if progress:
                    progress(name, what)

        return say

    with ThreadPoolExecutor(max(1, parallel)) as pool:
        futures = [pool.submit(visit, errand, told(errand.name), stop) for errand in errands]
        try:
            rows = [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {row.name: row for row in rows}


def _reported(found: FleetRun, report: StrPath | None) -> FleetRun:
    """Write the page on what there is, if one is wanted and there is something."""
    if report is None or not found.records:
        return found
    from dcgan_edge.report import gather, render

    title = f"A fleet of {count_words(len(found.rows), 'board')}"
    content = gather(found.records, title=title)
    notes = [f"{row.name} has no results: {row.status}, {row.reason}" for row in found.missing]
    page = render(dataclasses.replace(content, notes=[*notes, *content.notes]))
    write_atomic(Path(report), page.encode())
    return dataclasses.replace(found, report=Path(report))
