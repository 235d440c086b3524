"""From a stranger's file to a checkpoint: what is measured, what is refused, and what comes out."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from dcgan_edge import import_generator
from dcgan_edge.errors import ArtifactError, UsageError, VerificationError
from dcgan_edge.export.foreign.importing import list_tensors
from dcgan_edge.images import to_uint8
from dcgan_edge.training.checkpoint import load_generator
from tests.export.foreign.networks import (
    CASES,
    Case,
    Net,
    class_before_latent,
    conv,
    first,
    trained,
    up,
    weights,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "keras"  # with latents and images that Keras made
CLOSE = 1e-5  # float32, the same sums in another order


def saved(tmp_path: Path, case: Case, **change: Any) -> tuple[Path, Path, Tensor, Tensor]:
    """(weights, expected images, inputs, images) of a network, as its owner would save them."""
    network, inputs, images = trained(case)
    path, expected = tmp_path / "netG.pth", tmp_path / "samples.npz"
    torch.save(network.state_dict(), path)
    arrays: dict[str, Any] = {"latents": inputs[:, : case.latent].numpy(), "images": images.numpy()}
    if case.classes:
        arrays["classes"] = inputs[:, case.latent :, 0, 0].argmax(1).numpy()
    np.savez(expected, **(arrays | {name: make(arrays) for name, make in change.items()}))
    return path, expected, inputs, images


@pytest.mark.parametrize(
    "name", ["official, small", "two branches", "norm behind activation", "pixel shuffle"]
)
def test_a_checkpoint_makes_the_images_of_the_network(tmp_path: Path, name: str) -> None:
    path, expected, inputs, images = saved(tmp_path, CASES[name])
    made = import_generator(path, tmp_path / "out", expect=expected)
    generator, spec = load_generator(made.checkpoint)
    with torch.inference_mode():
        torch.testing.assert_close(generator(inputs), images, atol=CLOSE, rtol=0.0)
    assert made.parity is not None
    assert made.parity.passed
    assert spec == made.spec
    assert spec.origin is not None
    assert (spec.origin.kind, spec.origin.file, spec.origin.proof) == ("import", "netG.pth", "measured")
    assert (spec.architecture.preset, spec.architecture.width) == ("custom", 0)
    assert made.grid.read_bytes().startswith(b"\x89PNG")


RANGES = {
    "0 to 1": lambda arrays: (arrays["images"] + 1) / 2,
    "half": lambda arrays: arrays["images"].astype(np.float16),
    "uint8, channels last": lambda arrays: to_uint8(arrays["images"]).transpose(0, 2, 3, 1),
    "cut off instead of rounded": lambda arrays: ((arrays["images"] + 1) * 127.5).astype(np.uint8),
    "0 to 255": lambda arrays: (arrays["images"] + 1) * 127.5,
}


@pytest.mark.parametrize("name", RANGES)
def test_images_are_expected_in_any_range(tmp_path: Path, name: str) -> None:
    path, expected, *_ = saved(tmp_path, CASES["layers.0.conv"], images=RANGES[name])
    made = import_generator(path, tmp_path / "out", expect=expected)
    assert made.parity is not None
    assert [layer.layer.kind for layer in made.layers][-1] == "tanh"
    assert made.assumptions == ()


def test_other_images_are_refused_with_the_nearest_reading_and_nothing_is_written(tmp_path: Path) -> None:
    path, expected, *_ = saved(tmp_path, CASES["2x2 and 7x7"], images=lambda arrays: arrays["images"][::-1])
    with pytest.raises(VerificationError, match=r"28 pixels.*differs by"):
        import_generator(path, tmp_path / "out", expect=expected, activation="relu")
    assert not (tmp_path / "out").exists()


def test_a_class_before_the_latent_is_found_by_measuring(tmp_path: Path) -> None:
    path, expected, *_ = saved(tmp_path, Case(class_before_latent, classes=8))
    made = import_generator(path, tmp_path / "out", classes=list("abcdefgh"), expect=expected)
    assert made.spec.architecture.classes == tuple("abcdefgh")
    assert (made.spec.architecture.latent_dim, made.spec.architecture.input_dim) == (100, 108)


def test_uniform_latents_are_seen_in_what_is_expected(tmp_path: Path) -> None:
    network, inputs, _ = trained(CASES["2x2 and 7x7"])
    latents = torch.rand_like(inputs) * 2 - 1
    with torch.inference_mode():
        images = network(latents).numpy()
    torch.save(network.state_dict(), tmp_path / "netG.pth")
    np.savez(tmp_path / "samples.npz", latents=latents[:, :, 0, 0].numpy(), images=images)
    made = import_generator(tmp_path / "netG.pth", tmp_path / "out", expect=tmp_path / "samples.npz")
    assert made.spec.architecture.distribution == "uniform"


def test_without_expected_images_everything_assumed_is_said(tmp_path: Path) -> None:
    path, *_ = saved(tmp_path, CASES["PyTorch-GAN"])
    made = import_generator(path, tmp_path / "out")
    assert made.parity is None
    assert made.spec.origin is not None
    assert (made.spec.origin.proof, made.spec.origin.assumptions) == ("assumed", made.assumptions)
    said = " ".join(made.assumptions)
    for option in (
        "--size",
        "--activation",
        "--output-activation",
        "--upsample",
        "--bn-eps",
        "--distribution",
    ):
        assert option in said
    given_all = import_generator(
        path, tmp_path / "all", size=32, activation="leaky_relu:0.2", output_activation="tanh",
        upsample="nearest", bn_eps=0.8, distribution="normal",
    )  # fmt: skip
    assert [each for each in given_all.assumptions if "(--" in each] == []


def test_safetensors_have_no_order_and_are_read_all_the_same(tmp_path: Path) -> None:
    network, inputs, images = trained(CASES["defined in another order"])
    save_file(weights(network), tmp_path / "model.safetensors")
    made = import_generator(tmp_path / "model.safetensors", tmp_path / "out")
    with torch.inference_mode():
        torch.testing.assert_close(load_generator(made.checkpoint)[0](inputs), images, atol=CLOSE, rtol=0.0)


@pytest.mark.parametrize("name", ["functional.keras", "nested.h5"])
def test_a_keras_file_says_everything_itself_and_is_measured(tmp_path: Path, name: str) -> None:
    expected = FIXTURES / f"{name.partition('.')[0]}.npz"
    made = import_generator(FIXTURES / name, tmp_path / "out", expect=expected)
    assert made.parity is not None
    assert made.parity.max_abs < CLOSE
    assert made.assumptions == ()
    assert list_tensors(FIXTURES / name).error is None
    with pytest.raises(UsageError, match="Keras"):
        import_generator(FIXTURES / name, tmp_path / "out", activation="relu")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("bn_eps", 0.1), ("upsample", "bilinear"), ("upsample", "pixel-shuffle"), ("activation", "gelu"),
        ("activation", "leaky_relu:x"), ("activation", "relu:0.2"), ("size", 300), ("latent_dim", 3),
        ("classes", 1), ("classes", ["a", "a"]), ("classes", ["", "b"]), ("class_first", True),
    ],
)  # fmt: skip
def test_an_option_that_does_not_apply_is_refused(tmp_path: Path, option: str, value: Any) -> None:
    path, *_ = saved(tmp_path, CASES["2x2 and 7x7"])  # no BatchNorm, no upsampling, no classes
    with pytest.raises(UsageError):
        import_generator(path, tmp_path / "out", **{option: value})


BAD_EXPECTED: dict[str, dict[str, Any]] = {
    "no images": {"latents": np.zeros((2, 50), np.float32)},
    "objects": {"latents": np.array([{}]), "images": np.zeros((1, 1, 28, 28))},
    "counts": {"latents": np.zeros((3, 50), np.float32), "images": np.zeros((2, 1, 28, 28), np.float32)},
    "not finite": {"latents": np.zeros((1, 50), np.float32), "images": np.full((1, 1, 28, 28), np.nan)},
    "signed": {"latents": np.zeros((1, 50), np.float32), "images": np.zeros((1, 1, 28, 28), np.int16)},
    "nothing": {"latents": np.zeros((0, 50), np.float32), "images": np.zeros((0, 1, 28, 28), np.float32)},
}


@pytest.mark.parametrize("name", BAD_EXPECTED)
def test_expected_images_of_no_use_are_refused(tmp_path: Path, name: str) -> None:
    path, expected, *_ = saved(tmp_path, CASES["2x2 and 7x7"])
    np.savez(expected, **BAD_EXPECTED[name])
    with pytest.raises(ArtifactError):
        import_generator(path, tmp_path / "out", expect=expected)


def test_expected_images_of_another_size_are_refused(tmp_path: Path) -> None:
    path, expected, *_ = saved(tmp_path, CASES["2x2 and 7x7"], images=lambda _: np.zeros((3, 3, 28, 28)))
    with pytest.raises(UsageError, match="3, 28, 28"):
        import_generator(path, tmp_path / "out", expect=expected)


def test_a_list_names_the_layer_of_each_tensor_or_says_why_not(tmp_path: Path) -> None:
    path, *_ = saved(tmp_path, CASES["two branches"])
    listing = list_tensors(path)
    assert listing.error is None
    assert {row.layer >= 0 for row in listing.tensors} == {True}
    torch.save(nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 4)).state_dict(), path)
    listing = list_tensors(path)
    assert isinstance(listing.error, ArtifactError)
    assert {row.layer for row in listing.tensors} == {-1}


@st.composite
def any_chain(draw: st.DrawFn) -> Case:
    """A chain of any kinds, sizes, biases and norms, as a row or with names that say nothing."""
    latent = draw(st.sampled_from([2, 16, 33]))
    channels = draw(st.integers(1, 4))
    depth = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["4x4", "5x5", "2x2", "upsample", "shuffle"]))
    bias, norm = draw(st.booleans()), draw(st.booleans())
    act = draw(st.sampled_from([nn.ReLU(), nn.LeakyReLU(0.2), nn.ELU()]))
    widths = [5 + 2 * (depth - i) for i in range(depth)] + [channels]
    start = draw(st.sampled_from([4, 7]))
    row: list[nn.Module] = []
    if draw(st.booleans()):
        row += [first(latent, widths[0], start, bias=bias)]
    else:
        row += [
            nn.Flatten(),
            nn.Linear(latent, widths[0] * start**2),
            nn.Unflatten(1, (widths[0], start, start)),
        ]
    for a, b in itertools.pairwise(widths):
        row += [*([nn.BatchNorm2d(a)] if norm else []), act]
        if kind == "upsample":
            row += [nn.Upsample(scale_factor=2), conv(a, b, bias=bias)]
        elif kind == "shuffle":
            row += [conv(a, 4 * b, bias=bias), nn.PixelShuffle(2)]
        else:
            geometry: dict[str, Any] = {
                "4x4": {}, "5x5": {"kernel": 5, "padding": 2, "output_padding": 1},
                "2x2": {"kernel": 2, "padding": 0},
            }[kind]  # fmt: skip
            row += [up(a, b, bias=bias, **geometry)]
    row.append(draw(st.sampled_from([nn.Tanh(), nn.Sigmoid()])))
    named = draw(st.booleans())
    names = draw(
        st.permutations([f"{word}" for word in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]])
    )
    if not named:
        return Case(lambda: nn.Sequential(*row), latent=latent)
    heavy = [module for module in row if list(module.parameters())]
    parts = {f"part_{names[i % 7]}{i}": module for i, module in enumerate(heavy)}
    net = Net(lambda _, z: nn.Sequential(*row)(z), parts)
    return Case(lambda: net, latent=latent)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(any_chain())
def test_any_chain_is_found_by_measuring(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    folder = tmp_path_factory.mktemp("chain")
    path, expected, inputs, images = saved(folder, case)
    made = import_generator(path, folder / "out", expect=expected)
    output = load_generator(made.checkpoint)[0](inputs)
    truth = images if made.layers[-1].layer.kind == "tanh" else images * 2 - 1
    torch.testing.assert_close(output, truth, atol=CLOSE, rtol=0.0)
