"""How a module is called is found by trying; what is no generator is refused with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.export.foreign.module_calling import CanonicalModule, find_call
from dcgan_edge.export.foreign.module_loading import LoadedModule, load_module
from tests.export.foreign.brought import CLASSES, DIM

HERE = "tests.export.foreign.brought"


def loaded(factory: str) -> LoadedModule:
    torch.manual_seed(1)
    return load_module(f"{HERE}:{factory}")


def found(factory: str, **options: Any) -> tuple[CanonicalModule, torch.Tensor, tuple[str, ...]]:
    settings: dict[str, Any] = {
        "latent_dim": DIM, "classes": 0, "distribution": "normal", "value_range": None, "batch": None,
    }  # fmt: skip
    return find_call(loaded(factory), **{**settings, **options})


@pytest.mark.parametrize(
    ("factory", "classes", "flat", "class_input"),
    [
        ("Spatial", 0, False, "none"),
        ("Flat", 0, True, "none"),
        ("Labelled", CLASSES, True, "label"),
        ("OneHot", CLASSES, True, "one-hot"),
        ("OneHotMap", CLASSES, False, "one-hot map"),
        ("Joined", CLASSES, False, "joined"),
    ],
)
def test_every_common_way_is_found(factory: str, classes: int, flat: bool, class_input: str) -> None:
    module, images, notes = found(factory, classes=classes)
    assert (module.call.flat, module.call.class_input) == (flat, class_input)
    assert images.shape[2:] == (8, 8)
    assert notes[0].startswith("It takes latents (batch, ")
    # The wrapper asks for the class in its place, and gives the module what the module wants.
    inputs = torch.randn(4, DIM + classes, 1, 1)
    if classes:
        inputs[:, DIM:] = torch.eye(classes)[torch.tensor([2, 0, 1, 2])][:, :, None, None]
    assert module(inputs).shape == (4, *images.shape[1:])


def test_a_class_reaches_the_module_as_its_number() -> None:
    module, _, _ = found("Labelled", classes=CLASSES)
    inputs = torch.cat([torch.randn(2, DIM, 1, 1), torch.eye(CLASSES)[[2, 1], :, None, None]], dim=1)
    with torch.no_grad():
        direct = module.module(inputs[:, :DIM].flatten(1), torch.tensor([2, 1]))
        assert torch.equal(module(inputs), direct)


def test_a_class_without_effect_is_said() -> None:
    assert "Its images do not depend on the class." in found("Indifferent", classes=CLASSES)[2]


def test_images_in_other_ranges_become_ours() -> None:
    module, _, notes = found("Flat")
    assert (module.call.low, module.call.high) == (0.0, 1.0)
    assert any("taken to be in 0..1" in note for note in notes)
    z = torch.randn(3, DIM, 1, 1)
    with torch.no_grad():
        np.testing.assert_allclose(module(z), 2 * module.module(z.flatten(1)) - 1, atol=1e-6)  # float32's own
    told, _, notes = found("Flat", value_range=(0.0, 1.0))
    assert told.call == module.call
    assert not any("taken to be" in note for note in notes)
    bytes_, _, _ = found("Bytes", value_range=(0.0, 255.0))
    with torch.no_grad():
        assert float(bytes_(z).abs().max()) <= 1.0


def test_values_that_leave_the_range_are_cut_off_and_said() -> None:
    module, _, notes = found("Unbounded")
    assert module.call.clipped
    assert any("cut off" in note for note in notes)
    with torch.no_grad():
        images = module(100 * torch.randn(8, DIM, 1, 1))
    assert float(images.abs().max()) == 1.0


@pytest.mark.parametrize(("factory", "place"), [("InTuple", 1), ("InDictionary", "image")])
def test_images_are_found_in_what_is_returned(factory: str, place: int | str) -> None:
    module, _, notes = found(factory)
    assert module.call.picked == place
    assert any(repr(place) in note for note in notes)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("Oblong", r"of shape \(5, 3, 8, 5\)"),
        ("ChannelsLast", r"permute\(0, 3, 1, 2\)"),
        ("Bytes", "images in 0..1: they lie in .*--range"),
        ("FixedBatch", r"with latents \(batch, 6\) it raised RuntimeError"),
        ("Labelled", "--classes"),
    ],
)
def test_what_is_no_generator_of_images_is_refused(factory: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        found(factory)


def test_latents_of_another_size_are_refused_with_both_reasons() -> None:
    with pytest.raises(UsageError, match=r"latents of 9: with latents \(batch, 9, 1, 1\).*\(batch, 9\)"):
        found("Spatial", latent_dim=9)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("Noisy", "draws random numbers"),
        ("Dropping", "draws random numbers"),
        ("BatchStatistics", "beside other ones"),
        ("NotFinite", "NaN or infinite"),
    ],
)
def test_what_cannot_be_proven_is_refused(factory: str, message: str) -> None:
    module = loaded(factory)
    after = torch.random.get_rng_state()
    with pytest.raises(EdgeError, match=message):
        find_call(module, latent_dim=DIM, classes=0, distribution="normal", value_range=None, batch=None)
    assert torch.equal(torch.random.get_rng_state(), after)  # trying takes no numbers from the user's code


def test_a_fixed_batch_is_kept_to() -> None:
    assert found("FixedBatch", batch=2)[1].shape == (8, 1, 8, 8)
