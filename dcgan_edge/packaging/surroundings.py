"""What a result on a device depends on beside the artifact: machine, libraries, driver, power mode, clocks.

Facts that hold for days are taken, readings that move by themselves (temperatures, loads) are not.
"""

from __future__ import annotations

from pathlib import Path

from dcgan_edge.runtime.device import installed_versions, machine_facts
from dcgan_edge.runtime.doctor import diagnose
from dcgan_edge.runtime.telemetry.reader import Opener, Unreadable
from dcgan_edge.runtime.telemetry.sources.clocks import open_cpu, open_emc, open_gpu
from dcgan_edge.runtime.telemetry.sources.nvml import open_nvml
from dcgan_edge.runtime.telemetry.sources.power_mode import open_power_mode

SOURCES: tuple[Opener, ...] = (open_power_mode, open_gpu, open_emc, open_cpu, open_nvml)


def surroundings(root: Path = Path("/"), sources: tuple[Opener, ...] = SOURCES) -> dict[str, dict[str, str]]:
    """Return the facts by group: "machine", "gpu", "versions" of libraries, and each source of telemetry.

    Sources that cannot be read here are left out. System files are read below `root`.
    """
    found = {
        "machine": machine_facts(root),
        "gpu": {str(number): line for number, line in enumerate(diagnose().gpus)},
        "versions": installed_versions(),
    }
    for open_source in sources:
        reader = open_source(root)
        if isinstance(reader, Unreadable):
            continue
        limits = {f"limit of {name}": f"{value:g}" for name, value in reader.limits.items()}
        found[reader.name] = {**reader.facts, **limits}
        reader.close()
    return {group: dict(facts) for group, facts in found.items() if facts}
