"""hosts.toml: who takes part in a fleet's benchmark, and how each is reached."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import UsageError
from dcgan_edge.schema import build

LARGEST = 2**20  # bytes
MOST_HOSTS = 10_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it names files, here and there
DESTINATION = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.@:%+~/\[\]-]{0,254}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPTION = re.compile(r"[A-Za-z0-9]+=.+")
OURS = {  # what ssh is told by this program, or what would keep it from running a command
    "batchmode", "clearallforwardings", "connecttimeout", "controlmaster", "controlpersist",
    "forkafterauthentication", "forwardagent", "forwardx11", "remotecommand", "requesttty", "sessiontype",
    "stdinnull",
}  # fmt: skip


@dataclass(frozen=True)
class Host:
    """A board: `ssh` is its destination, "" its name; `identity` the private key's file and `ssh_options`
    what ssh takes behind -o. `bundle` is installed there; where it is "", `python` is a Python there that has
    dcgan-edge. `folder` is where files are put, in the home folder there unless it is absolute.
    """

    ssh: str = ""
    port: int | None = None
    identity: str = ""
    ssh_options: tuple[str, ...] = ()
    bundle: str = ""
    python: str = "python3"
    folder: str = "dcgan-edge-fleet"
    environment: Mapping[str, str] = field(default_factory=dict)


def read_hosts(path: Path) -> dict[str, Host]:
    """Return the hosts in the TOML file `path` by name. Paths of keys and bundles are made this machine's.

    What stands above the hosts is meant for each that does not say it itself.

    Raises UsageError when there is no such file, for whatever in it has no meaning, for a key or a bundle
    that is not there, and for a destination that is there twice: it would be measured twice at a time.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        data = read_file(path)
        if len(data) > LARGEST:
            raise ValueError("it is larger than 1 MiB")
        facts = tomllib.loads(data.decode())
        return _hosts(facts, path)
    except (ValueError, RecursionError) as error:  # errors of TOML and of Unicode are ValueErrors
        raise UsageError(f"{path.name} is no list of hosts: {str(error)[:300]}.") from error


def _hosts(facts: dict[str, Any], path: Path) -> dict[str, Host]:
    listed = facts.pop("hosts", None)
    if not isinstance(listed, dict) or not listed:
        raise ValueError("it has no [hosts.NAME]")
    if len(listed) > MOST_HOSTS:
        raise ValueError(f"it has more than {MOST_HOSTS:,} hosts")
    if "ssh" in facts:
        raise ValueError("ssh is a host's own: write it below [hosts.NAME]")
    build(Host, _spelled(facts, ""))  # so that what is wrong with it is not said of the first host
    hosts: dict[str, Host] = {}
    for name, own in listed.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is no name for a host: letters, digits, dots, - and _")
        where = f"hosts.{name}"
        host = build(Host, {**_spelled(facts, ""), **_spelled(own, where)}, where)
        hosts[name] = _checked(replace(host, ssh=host.ssh or name), where, path.parent)
        same = (earlier for earlier, other in hosts.items() if _reached(other) == _reached(hosts[name]))
        if (first := next(same)) != name:
            raise ValueError(f"{where} is the destination of hosts.{first}")
    return hosts


def _reached(host: Host) -> tuple[object, ...]:
    return host.ssh, host.port, host.ssh_options


def _spelled(facts: Any, where: str) -> dict[str, Any]:
    """The keys as dataclasses have them; files write ssh-options."""
    if not isinstance(facts, dict):
        raise ValueError(f"{where} is no table")
    wrong = next((key for key in facts if "_" in key), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:80]} is unknown; keys are written with -, not _")
    return {key.replace("-", "_"): value for key, value in facts.items()}


def _checked(host: Host, where: str, beside: Path) -> Host:
    """Return `host` with whole paths, once everything in it may go into a command line."""
    if not DESTINATION.fullmatch(host.ssh):
        _refuse(where, "ssh", host.ssh, "a destination such as user@board")
    if host.port is not None and not 1 <= host.port <= 65535:
        _refuse(where, "port", host.port, "a port from 1 to 65535")
    for option in host.ssh_options:
        if not OPTION.fullmatch(option) or not option.isprintable():
            _refuse(where, "ssh-options", option, "an option such as ProxyJump=gate")
        if option.partition("=")[0].lower() in OURS:
            raise ValueError(f"{where}.ssh-options has {option}, which this program decides")
    for name in ("python", "folder"):
        value = getattr(host, name)
        if not value or not value.isprintable() or value[0] in "-~" or len(value) > 200:
            _refuse(where, name, value, "a path on the board; relative ones begin in the home folder")
    for name, value in host.environment.items():
        if not VARIABLE.fullmatch(name) or not value.isprintable():
            _refuse(where, "environment", f"{name}={value}", "a variable and one line of text")
    return replace(
        host,
        identity=_file(host.identity, f"{where}.identity", beside),
        bundle=_file(host.bundle, f"{where}.bundle", beside),
    )


def _file(name: str, where: str, beside: Path) -> str:
    """The whole path of a file that is here; "" stays so."""
    if not name:
        return ""
    try:
        path = (beside / Path(name).expanduser()).absolute()
        found = path.is_file()
    except (OSError, RuntimeError):  # too long a name, a user who does not exist
        found = False
    if not found:
        raise ValueError(f"{where} is {name[:200]!r}, and there is no such file")
    return str(path)


def _refuse(where: str, key: str, value: object, expected: str) -> NoReturn:
    raise ValueError(f"{where}.{key} is {str(value)[:80]!r}, not {expected}")
