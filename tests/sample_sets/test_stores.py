from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.errors import EdgeError, UnavailableError, UsageError
from dcgan_edge.sample_sets.plan import SamplePlan
from dcgan_edge.sample_sets.records import INDEX
from dcgan_edge.sample_sets.stores import FolderStore, Store, UrlStore, is_url, open_store
from dcgan_edge.sample_sets.writing import write_files
from dcgan_edge.seeds import rising
from tests.doubles import ArithmeticSession

fsspec = pytest.importorskip("fsspec")


class Moving(fsspec.get_filesystem_class("memory")):  # type: ignore[misc]  # fsspec is not typed
    """A file system in memory, of which nobody knows that what is put appears whole."""

    protocol = "moving"
    store: dict[str, Any] = {}  # noqa: RUF012  # as fsspec has it
    pseudo_dirs = [""]  # noqa: RUF012


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    fsspec.register_implementation("moving", Moving, clobber=True)
    yield
    fsspec.get_filesystem_class("memory").store.clear()


@pytest.fixture(params=["folder", "file", "memory", "moving"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    name = uuid.uuid4().hex
    return {
        "folder": str(tmp_path / "a set"),
        "file": (tmp_path / "a set").as_uri(),
        "memory": f"memory://bucket/{name}",
        "moving": f"moving://bucket/{name}/",
    }[str(request.param)]


def test_a_store_has_what_was_put(place: str) -> None:
    store = open_store(place)
    assert (store.names(), store.read("a.tar"), store.digest("a.tar")) == ([], None, None)
    store.put("b.json", b"{}")
    with store.replacing("a.tar") as write:
        write(b"one")
        write(memoryview(b"two"))
        assert store.read("a.tar") is None
    assert (store.names(), store.read("a.tar"), store.read("b.json")) == (
        ["a.tar", "b.json"], b"onetwo", b"{}",
    )  # fmt: skip
    assert store.digest("a.tar") == "25b6746d5172ed6352966a013d93ac846e1110d5a25e8f183b5931f4688842a1"
    store.put("b.json", b"[]")
    assert open_store(place).read("b.json") == b"[]"
    assert str(store.place("a.tar")).endswith("/a.tar")


def test_what_ends_in_an_error_leaves_nothing_and_what_was_there(place: str) -> None:
    store = open_store(place)
    store.put("a.tar", b"before")

    def fail() -> None:
        with store.replacing("a.tar") as write:
            write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (store.names(), store.read("a.tar")) == (["a.tar"], b"before")


def test_a_set_is_the_same_bytes_wherever_it_is_written(place: str, tmp_path: Path) -> None:
    def written(store: Store) -> dict[str, bytes | None]:
        session = ArithmeticSession()
        plan = SamplePlan(session.manifest.architecture, rising(range(33)), format="parquet", per_file=10)
        write_files(session, plan, store, range(plan.files))
        again = ArithmeticSession()
        write_files(again, plan, store, range(plan.files))
        assert again.batches == []
        return {name: store.read(name) for name in store.names()}

    there = written(open_store(place))
    assert there == written(FolderStore(tmp_path / "one"))
    assert len(there) == 4 + 4 + 1
    session = ArithmeticSession()
    other = SamplePlan(session.manifest.architecture, rising(range(34)), format="parquet", per_file=10)
    with pytest.raises(UsageError, match="differs in images, seeds"):
        write_files(session, other, open_store(place), range(1))


@pytest.mark.parametrize(
    ("method", "use"),
    [
        ("put_file", lambda store: store.put(INDEX, b"")),
        ("mv", lambda store: store.put(INDEX, b"")),
        ("cat_file", lambda store: store.read(INDEX)),
        ("open", lambda store: store.digest(INDEX)),
        ("ls", lambda store: store.names()),
    ],
)
def test_whatever_a_library_raises_is_said(
    monkeypatch: pytest.MonkeyPatch, method: str, use: Callable[[Store], object]
) -> None:
    class NoCredentials(Exception):
        """As botocore has one, which is no OSError."""

    def refuse(*_: object, **__: object) -> None:
        raise NoCredentials("Unable to locate\n credentials")

    store = open_store("moving://bucket/refused")
    monkeypatch.setattr(Moving, method, refuse)
    with pytest.raises(
        EdgeError, match=r"Cannot .* moving://bucket/refused.*: Unable to locate credentials\."
    ):
        use(store)
    monkeypatch.undo()
    assert store.names() == []


def test_urls_are_told_from_paths() -> None:
    assert [is_url(text) for text in ("s3://b/c", "memory://x", "simplecache::s3://b")] == [True, True, False]
    assert [is_url(text) for text in ("file:///tmp", "a/b", "c:\\x", "/s3://b", Path("s3://b"))] == [
        False
    ] * 5


def test_a_url_that_nobody_knows_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no place for samples"):
        open_store("nothing://b/c")

    def lacking(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", lacking)
    with pytest.raises(UnavailableError, match="Install s3fs"):
        UrlStore("s3://bucket")
    monkeypatch.setattr("dcgan_edge.extras.is_installed", lambda library: False)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[cluster\]"):
        UrlStore("s3://bucket")


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / INDEX).mkdir()
    with pytest.raises(EdgeError, match="Cannot read"):
        FolderStore(tmp_path).read(INDEX)
    with pytest.raises(EdgeError, match="Cannot write"), FolderStore(tmp_path).replacing(INDEX):
        pass
