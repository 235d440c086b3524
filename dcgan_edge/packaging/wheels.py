"""The wheels that a bundle brings: this program's own, and what it needs on another platform, by pip.

pip can download for another platform, but decides by the markers of the machine that it runs on, such as
"python_version < '3.11'". So what it brought is walked through here once more, by the markers of the target:
what is missing is downloaded too, and what only this machine would want is left out.

Source: PyPA specifications, "Dependency specifiers", "Platform compatibility tags".
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.extras import need
from dcgan_edge.files import sha256
from dcgan_edge.packaging.own_wheel import NAME, own_distribution, own_wheel

if TYPE_CHECKING:
    from packaging.requirements import Requirement

GLIBC = {"x86_64": range(34, 4, -1), "aarch64": range(34, 16, -1)}  # minor versions of wheels that are taken
MOST_ROUNDS = 10  # of downloading what the wheels of the round before want
TIMEOUT_S = 1800


@dataclass(frozen=True)
class Target:
    """The machine that wheels are for: `machine` "x86_64" or "aarch64", with Linux; `python` "3.10"."""

    machine: str
    python: str

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the platforms of wheels that run there, the newest first: glibc 2.34 and older."""
        newest = [f"manylinux_2_{minor}_{self.machine}" for minor in GLIBC[self.machine]]
        return (*newest, f"manylinux2014_{self.machine}", f"linux_{self.machine}")

    def markers(self, extra: str = "") -> dict[str, str]:
        """Return what dependency specifiers ask of the machine."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": extra,
        }


@dataclass(frozen=True)
class Wheel:
    """A wheel: its file's name, its content and its metadata."""

    file: str
    content: bytes
    metadata: Message

    @property
    def name(self) -> str:
        """Return the distribution's name as it writes it."""
        return str(self.metadata["Name"])

    @property
    def version(self) -> str:
        """Return the distribution's version."""
        return str(self.metadata["Version"])

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the file, in hex."""
        return sha256(self.content)


Download = Callable[[Sequence[str], Target, Path], None]


def collect_wheels(target: Target, extras: Sequence[str], *, download: Download | None = None) -> list[Wheel]:
    """Return this program's wheel and those of all that it needs on `target` with `extras`, by name.

    `download` puts wheels of requirements for a target into a folder, pip by default.

    Raises UsageError for an extra that there is not; UnavailableError without pip, packaging or an
    installation of this program; EdgeError when a wheel is not to be had for the target.
    """
    need("packaging", "bundle")
    known = own_distribution().metadata.get_all("Provides-Extra") or []
    strange = sorted(set(extras) - set(known))
    if strange:
        raise UsageError(f"There is no extra {strange[0]}; there are {', '.join(sorted(known))}.")
    file, content = own_wheel()
    own = Wheel(file, content, own_distribution().metadata)  # type: ignore[arg-type]  # an email Message too
    fetch = download or pip_download
    with tempfile.TemporaryDirectory() as folder:
        _, wanted = _walk(own, target, tuple(extras), {})
        for _ in range(MOST_ROUNDS):
            fetch(wanted, target, Path(folder))
            there = {
                _canonical(wheel.name): wheel for wheel in map(_read, sorted(Path(folder).glob("*.whl")))
            }
            needed, missing = _walk(own, target, tuple(extras), there)
            if not missing:
                return [own, *(there[name] for name in sorted(needed))]
            wanted += missing
    raise EdgeError(f"pip does not bring {missing[0]} for {target.machine} and Python {target.python}.")


def pip_download(requirements: Sequence[str], target: Target, folder: Path) -> None:
    """Download wheels of `requirements` and of what they need into `folder`, with the registries of pip here.

    Raises UnavailableError without pip, EdgeError with pip's last word when a wheel is not to be had.
    """
    need("pip", "bundle")
    platforms = [word for tag in target.tags for word in ("--platform", tag)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python),
        *(*platforms, "--dest", str(folder), *requirements),
    ]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EdgeError(f"pip download did not end ({error.__class__.__name__}).") from error
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = said[-1].removeprefix("ERROR: ") if said else f"exit code {ran.returncode}"
        raise EdgeError(
            f"pip has no wheels for {target.machine} and Python {target.python}: {reason.rstrip('.')}. Try "
            "another --python, or look whether the registry answers."
        )


def _walk(
    own: Wheel, target: Target, extras: tuple[str, ...], there: Mapping[str, Wheel]
) -> tuple[set[str], list[str]]:
    """What `own` needs on `target`, directly or not: the names of wheels that are there, and what is not."""
    needed: set[str] = set()
    missing: list[str] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(own, extras)]
    while waiting:
        wheel, chosen = waiting.pop()
        for wanted in _requirements(wheel, target, chosen):
            name = _canonical(wanted.name)
            place = (name, tuple(sorted(wanted.extras)))
            if name == NAME:  # an extra of ours that stands for others
                if place not in seen:
                    seen.add(place)
                    waiting.append((own, place[1]))
                continue
            if name not in there:
                missing.append(_pinless(wanted))
                continue
            if not wanted.specifier.contains(there[name].version, prereleases=True):
                raise EdgeError(
                    f"{wheel.name} wants {name}{wanted.specifier} for {target.machine} and Python "
                    f"{target.python}, and pip brought {there[name].version}."
                )
            if place not in seen:
                seen.add(place)
                needed.add(name)
                waiting.append((there[name], place[1]))
    return needed, missing


def _requirements(wheel: Wheel, target: Target, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What `wheel` asks for on `target` with `extras`; its own name among them stands for more extras."""
    from packaging.requirements import Requirement

    for text in wheel.metadata.get_all("Requires-Dist") or []:
        wanted = Requirement(text)
        marker = wanted.marker
        if marker is None or any(marker.evaluate(target.markers(extra)) for extra in ("", *extras)):
            yield wanted


def _pinless(wanted: Requirement) -> str:
    """`wanted` without its marker, which was judged already."""
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return f"{wanted.name}{extras}{wanted.specifier}"


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name))


def _read(path: Path) -> Wheel:
    """The wheel at `path`. Raises EdgeError when it is none."""
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            metadata = HeaderParser().parsestr(archive.read(name).decode())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise EdgeError(f"{path.name}, which pip downloaded, is no wheel ({error}).") from error
    return Wheel(path.name, content, metadata)


def requirements_text(wheels: Sequence[Wheel]) -> str:
    """Return the text by which pip installs just these wheels: their versions and their hashes."""
    lines = (f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels)
    return "".join(sorted(lines))
