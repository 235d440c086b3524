"""Somebody's module by name: imported, made, given its weights, or refused in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.export.foreign.module_loading import importing_from_here, load_module
from dcgan_edge.files import sha256_of
from tests.export.foreign import brought

HERE = "tests.export.foreign.brought"


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def weights(**arguments: Any) -> dict[str, Tensor]:
    torch.manual_seed(3)
    found: dict[str, Tensor] = brought.Spatial(**arguments).state_dict()
    return found


@pytest.mark.parametrize("factory", ["Spatial", "READY_MADE", "parallel", "chatty"])
def test_a_class_a_function_and_a_module_are_taken(factory: str) -> None:
    loaded = load_module(f"{HERE}:{factory}")
    assert not isinstance(loaded.module, nn.DataParallel)
    assert not any(module.training for module in loaded.module.modules())
    assert not any(parameter.requires_grad for parameter in loaded.module.parameters())
    assert loaded.file == ""
    assert len(loaded.sha256) == 64
    assert f"{HERE}:{factory}" in loaded.notes[0]


def test_arguments_go_to_the_factory() -> None:
    loaded = load_module(f"{HERE}:Spatial", arguments={"nz": 4, "size": 12})
    assert loaded.module(torch.zeros(2, 4, 1, 1)).shape == (2, 3, 12, 12)


def test_half_precision_becomes_single() -> None:
    loaded = load_module(f"{HERE}:halved")
    assert {tensor.dtype for tensor in loaded.module.parameters()} == {torch.float32}
    assert "Converted from float16 to float32." in loaded.notes


@pytest.mark.parametrize("wrapped", ["plain", "nested", "DataParallel", "no counters"])
def test_weights_are_those_of_the_file(tmp_path: Path, wrapped: str) -> None:
    state = weights()
    contents: dict[str, dict[str, Any]] = {
        "plain": state,
        "nested": {"netG": state, "epoch": 3},
        "DataParallel": {f"module.{name}": value for name, value in state.items()},
        "no counters": {name: value for name, value in state.items() if "num_batches" not in name},
    }
    path = saved(tmp_path / "netG.pth", contents[wrapped])
    loaded = load_module(f"{HERE}:Spatial", weights=path)
    found = loaded.module.state_dict()
    assert all(torch.equal(found[name], value) for name, value in state.items())
    assert (loaded.file, loaded.sha256) == ("netG.pth", sha256_of(path))


def test_a_prefix_of_the_module_itself_is_no_wrapper(tmp_path: Path) -> None:
    torch.manual_seed(4)
    path = saved(
        tmp_path / "map.pth", {f"model.{name}": v for name, v in brought.READY_MADE.state_dict().items()}
    )
    (tmp_path / "wrapped.py").write_text(
        f"from torch import nn\nfrom {HERE} import READY_MADE\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.model = READY_MADE\n"
        "    def forward(self, z):\n        return self.model(z)\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        assert load_module("wrapped:Net", weights=path).file == "map.pth"
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("wrapped", None)


def test_weights_that_are_not_the_modules_are_named(tmp_path: Path) -> None:
    state = weights()
    missing = {name: value for name, value in state.items() if name != "main.3.bias"}
    with pytest.raises(UsageError, match=r"missing: main\.3\.bias\."):
        load_module(f"{HERE}:Spatial", weights=saved(tmp_path / "a.pth", missing))
    more = {**state, "main.9.weight": torch.zeros(2, 2)}
    with pytest.raises(UsageError, match=r"not in the module: main\.9\.weight\."):
        load_module(f"{HERE}:Spatial", weights=saved(tmp_path / "b.pth", more))
    with pytest.raises(
        UsageError, match=r"main\.0\.weight of shape \(9, 8, 4, 4\).* it is \(6, 8, 4, 4\).*nz"
    ):
        load_module(f"{HERE}:Spatial", weights=saved(tmp_path / "c.pth", weights(nz=9)))
    spoiled = {**state, "main.3.bias": torch.full((3,), torch.nan)}
    with pytest.raises(ArtifactError, match=r"NaN or infinite values in main\.3\.bias"):
        load_module(f"{HERE}:Spatial", weights=saved(tmp_path / "d.pth", spoiled))
    with pytest.raises(ArtifactError):
        load_module(f"{HERE}:Spatial", weights=saved(tmp_path / "e.pth", brought.Spatial()))
    with pytest.raises(UsageError):
        load_module(f"{HERE}:Spatial", weights=tmp_path / "nothing.pth")
    with pytest.raises(UsageError, match="--weights"):
        load_module(f"{HERE}:Spatial", key="netG")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nets.py:Net", "--module nets:Net"),
        ("./sub/nets.py:Net", "--module sub.nets:Net"),
        ("Net", "package.module:factory|--module"),
        ("no_such_package.nets:Net", "There is no Python module no_such_package,"),
        (f"{HERE}:Spacial", "no Spacial.*Its modules are:.*Spatial"),
        (f"{HERE}:NUMBER", "is a int"),
        (f"{HERE}:dictionary", "made a dict"),
        (f"{HERE}:script", "TorchScript"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_module(name)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("failing", "it raised FileNotFoundError: no such file: settings.yaml"),
        ("leaving", "it raised SystemExit"),
        ("on_meta", "meta device"),
        ("Lazy", "lazy layers"),
    ],
)
def test_what_goes_wrong_in_their_code_is_told(factory: str, message: str) -> None:
    with pytest.raises(EdgeError, match=message):
        load_module(f"{HERE}:{factory}")


def test_lazy_layers_are_made_by_weights(tmp_path: Path) -> None:
    dense = nn.Linear(6, 64)
    path = saved(
        tmp_path / "lazy.pth", {f"dense.{name}": value for name, value in dense.state_dict().items()}
    )
    assert load_module(f"{HERE}:Lazy", weights=path).module(torch.zeros(2, 6)).shape == (2, 1, 8, 8)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--module-args"):
        load_module(f"{HERE}:Spatial", arguments={"nf": 4})
    with pytest.raises(UsageError, match=r"takes no --module-args"):
        load_module(f"{HERE}:READY_MADE", arguments={"nz": 4})


def test_the_current_folder_is_looked_in_and_nothing_reaches_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lying_here.py").write_text("from torch import nn\nprint('hello')\nnet = nn.Linear(2, 2)\n")
    (tmp_path / "broken_here.py").write_text("import no_such_library\n")
    (tmp_path / "wrong_here.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    with importing_from_here():
        assert isinstance(load_module("lying_here:net").module, nn.Linear)
        with pytest.raises(EdgeError, match="it needs no_such_library, which is not installed"):
            load_module("broken_here:net")
        with pytest.raises(EdgeError, match="it raised ZeroDivisionError: division by zero"):
            load_module("wrong_here:net")
    assert sys.path == before
    assert capsys.readouterr().out == ""
    sys.modules.pop("lying_here")
