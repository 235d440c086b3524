"""hosts.toml: what it says, and that whatever makes no sense in it is said before anybody is asked."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import UsageError
from dcgan_edge.fleet.connection import ssh_words
from dcgan_edge.fleet.hosts import Host, read_hosts

WHOLE = """
bundle = "b.tar.gz"
ssh-options = ["ProxyJump=gate"]
environment = { OMP_NUM_THREADS = "4" }

[hosts.orin-01]
ssh = "nvidia@10.0.0.11"
port = 2222
identity = "key"

[hosts."pi.local"]
ssh-options = []
python = "/opt/py thon3"
environment = { A = "it's" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "hosts.toml"
    path.write_text(text)
    for name in ("b.tar.gz", "key"):
        (folder / name).touch()
    return path


def test_what_stands_above_the_hosts_is_for_those_that_do_not_say_it(tmp_path: Path) -> None:
    bundle = str(tmp_path / "b.tar.gz")
    assert read_hosts(written(tmp_path, WHOLE)) == {
        "orin-01": Host(
            ssh="nvidia@10.0.0.11", port=2222, identity=str(tmp_path / "key"), bundle=bundle,
            ssh_options=("ProxyJump=gate",), environment={"OMP_NUM_THREADS": "4"},
        ),
        "pi.local": Host(
            ssh="pi.local", bundle=bundle, python="/opt/py thon3", environment={"A": "it's"},
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "hosts.NAME"),
        ("[hosts]", "hosts.NAME"),
        ("hosts = 3", "hosts.NAME"),
        ("[hosts.a]\nprot = 22", "hosts.a.prot is unknown"),
        ("prot = 22\n[hosts.a]", "prot is unknown"),
        ('ssh = "x"\n[hosts.a]', "host's own"),
        ("[hosts.a]\nssh_options = []", "written with -"),
        ('[hosts.a]\nport = "22"', "hosts.a.port"),
        ("[hosts.a]\nport = 0", "hosts.a.port"),
        ("[hosts.a]\nport = true", "hosts.a.port"),
        ('[hosts.a]\nssh = "-oProxyCommand=x"', "hosts.a.ssh"),
        ('[hosts.a]\nssh = "a b"', "hosts.a.ssh"),
        ('[hosts.a]\nssh = "a;b"', "hosts.a.ssh"),
        ('[hosts."a/b"]', "name for a host"),
        ('[hosts.".."]', "name for a host"),
        ('[hosts.a]\nssh-options = ["-v"]', "hosts.a.ssh-options"),
        ('[hosts.a]\nssh-options = ["BatchMode=no"]', "this program decides"),
        ('[hosts.a]\nssh-options = ["connecttimeout=1"]', "this program decides"),
        ('[hosts.a]\nfolder = "~/x"', "hosts.a.folder"),
        ('[hosts.a]\nfolder = ""', "hosts.a.folder"),
        ('[hosts.a]\npython = "-c"', "hosts.a.python"),
        ('[hosts.a]\nenvironment = { "A B" = "" }', "hosts.a.environment"),
        ('[hosts.a]\nenvironment = { A = "x\\ny" }', "hosts.a.environment"),
        ("[hosts.a]\nenvironment = { A = 4 }", "hosts.a.environment.A"),
        ('[hosts.a]\nidentity = "missing"', "hosts.a.identity"),
        ('[hosts.a]\nbundle = "missing"', "hosts.a.bundle"),
        ('[hosts.a]\nssh = "x"\n[hosts.b]\nssh = "x"', "destination of hosts.a"),
        ("[hosts.a", "no list of hosts"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_hosts(written(tmp_path, text))
    assert said in str(caught.value)


@given(st.binary(max_size=200) | st.text(alphabet='[hosts.a]\n="', max_size=60).map(str.encode))
def test_any_bytes_are_hosts_or_a_usage_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-hosts.toml"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        assert read_hosts(path)


def test_ssh_is_told_to_ask_for_nothing_and_to_find_the_rest_in_its_own_settings() -> None:
    host = Host(ssh="me@board", port=2222, identity="/keys/mine", ssh_options=("ServerAliveInterval=5",))
    words = ssh_words("ssh", host, 2.5)
    assert words[-2:] == ["--", "me@board"]
    options = [value for flag, value in itertools.pairwise(words) if flag == "-o"]
    assert {"BatchMode=yes", "ConnectTimeout=3"} <= set(options)
    assert options.index("ServerAliveInterval=5") < options.index(
        "ServerAliveInterval=15"
    )  # the first counts
    assert not any(option.startswith(("StrictHostKeyChecking", "UserKnownHostsFile")) for option in options)


@pytest.mark.source
def test_the_hosts_in_the_documents_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "fleet.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("bundle.tar.gz", "bundle-x86_64.tar.gz", ".ssh/fleet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    hosts = read_hosts(written(tmp_path, text))
    assert [host.ssh for host in hosts.values()] == ["nvidia@10.0.0.11", "nvidia@10.0.0.12", "workstation"]
