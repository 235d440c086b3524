"""Any generator that is a chain is recognised by its tensors, whatever their names and order."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.export.foreign.readings import Given, Values, build, likeliest
from dcgan_edge.export.foreign.recognise import Structure, Wanted, recognise, unclear_order
from dcgan_edge.models.network import Generator
from tests.export.foreign.networks import (
    CASES,
    Case,
    Net,
    class_before_latent,
    conv,
    embedded,
    first,
    official,
    trained,
    up,
    weights,
)

CLOSE = 1e-5  # float32, the same sums in another order


def images(structure: Structure, values: Values, inputs: Tensor) -> Tensor:
    """What a reading makes of `inputs`."""
    built = build(structure, values).ended(values.output)
    network = Generator(built.layers, inputs.shape[1])
    network.load_state_dict(built.tensors)
    with torch.inference_mode():
        made: Tensor = network.eval()(inputs)
    return made


def recognised(tensors: dict[str, Tensor], case: Case, inputs: Tensor) -> Tensor:
    """What the likeliest reading of `tensors` makes of `inputs`."""
    structure = recognise(tensors, Wanted(classes=case.said_classes))[0]
    assert (structure.inputs.latent_dim, structure.inputs.classes) == (case.latent, case.classes)
    return images(structure, likeliest(structure, case.given), inputs)


@pytest.mark.parametrize("name", CASES)
def test_the_likeliest_reading_makes_the_images_of_the_network(name: str) -> None:
    network, inputs, expected = trained(CASES[name])
    made = recognised(weights(network), CASES[name], inputs)
    assert made.shape == expected.shape
    torch.testing.assert_close(made, expected, atol=CLOSE, rtol=0.0)


@pytest.mark.parametrize("name", CASES)
def test_the_order_in_the_file_does_not_matter(name: str) -> None:
    network, inputs, expected = trained(CASES[name])
    names = list(weights(network))
    for order in (sorted(names), random.Random(0).sample(names, len(names))):
        tensors = weights(network)
        made = recognised({name: tensors[name] for name in order}, CASES[name], inputs)
        torch.testing.assert_close(made, expected, atol=CLOSE, rtol=0.0)


@pytest.mark.parametrize("name", ["official", "two branches", "embedding", "PyTorch-GAN"])
def test_every_tensor_has_its_layer(name: str) -> None:
    network, *_ = trained(CASES[name])
    structure = recognise(weights(network), Wanted())[0]
    built = build(structure, likeliest(structure, Given()))
    assert {tensor.rpartition(".")[0] for tensor in weights(network)} == set(built.homes)


def test_a_class_before_the_latent_is_moved_behind_it() -> None:
    network, inputs, expected = trained(Case(class_before_latent, classes=8))
    found = recognise(weights(network), Wanted(classes=8, class_first=True))[0]
    torch.testing.assert_close(
        images(found, likeliest(found, Given()), inputs), expected, atol=CLOSE, rtol=0.0
    )


def test_an_embedding_before_the_latent_is_a_reading() -> None:
    network, inputs, expected = trained(Case(lambda: embedded(class_first=True), classes=10))
    found = recognise(weights(network), Wanted(class_first=True))[0]
    made = images(found, likeliest(found, Given()), inputs)
    torch.testing.assert_close(made, expected, atol=CLOSE, rtol=0.0)


@pytest.mark.parametrize("size", [28, 32, 64])
def test_the_size_that_is_asked_for_is_made(size: int) -> None:
    network, *_ = trained(Case(official))
    found = recognise(weights(network), Wanted(size=size))
    assert {structure.size for structure in found} == {size}


def test_a_size_that_no_geometry_makes_is_refused_with_those_that_are_likely() -> None:
    network, *_ = trained(Case(official))
    with pytest.raises(UsageError, match=r"500 pixels.*64"):
        recognise(weights(network), Wanted(size=500))


def test_what_is_said_of_the_latent_has_to_be_so() -> None:
    network, *_ = trained(Case(lambda: official(110), latent=110))
    with pytest.raises(UsageError, match="--classes 10"):
        recognise(weights(network), Wanted(latent_dim=100))
    with pytest.raises(UsageError, match="110"):
        recognise(weights(network), Wanted(classes=110))
    with pytest.raises(UsageError, match="--classes"):
        recognise(weights(network), Wanted(class_first=True))
    assert recognise(weights(network), Wanted(latent_dim=100, classes=10))[0].inputs.classes == 10


def test_layers_that_could_change_places_are_named() -> None:
    """Their names say nothing, and both are 16 to 16: one 3x3, one 5x5."""
    parts = {"zeta": first(10, 16), "beta": conv(16, 16, 5), "alpha": conv(16, 16, 3), "omega": up(16, 3)}
    tensors = weights(Net(lambda net, z: z, parts))
    assert unclear_order(recognise(tensors, Wanted())) is None  # the order of the file fits
    sorted_names = {name: tensors[name] for name in sorted(tensors)}
    assert "beta or alpha" in str(unclear_order(recognise(sorted_names, Wanted()))) or "alpha or beta" in str(
        unclear_order(recognise(sorted_names, Wanted()))
    )


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "discriminator": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 16, 4, 2, 1), nn.Conv2d(16, 1, 4)),
        "0.weight",
    ),
    "residual": (
        lambda: Net(
            lambda net, z: z, {"up": first(10, 8), "resblock": nn.Sequential(conv(8, 8)), "end": conv(8, 3)}
        ),
        "resblock.0.weight",
    ),
    "PReLU": (lambda: nn.Sequential(first(10, 8), nn.PReLU(), up(8, 3)), "1.weight"),
    "GroupNorm": (lambda: nn.Sequential(first(10, 8), nn.GroupNorm(2, 8), up(8, 3)), "1.weight"),
    "one axis": (
        lambda: nn.Sequential(nn.ConvTranspose1d(10, 8, 4), nn.ConvTranspose1d(8, 1, 4)),
        "0.weight",
    ),
    "not square": (lambda: nn.Sequential(first(10, 8), nn.ConvTranspose2d(8, 3, (4, 2))), "1.weight"),
    "no image": (lambda: nn.Sequential(first(10, 8), up(8, 37)), "1.weight"),
    "does not follow": (lambda: nn.Sequential(first(10, 8), up(8, 6), up(9, 3)), "2.weight"),
    "norm of nothing": (lambda: nn.Sequential(first(10, 8), nn.BatchNorm2d(5), up(8, 3)), "1.running_mean"),
    "multiplied embedding": (
        lambda: Net(lambda net, z: z, {"label_emb": nn.Embedding(4, 10), "a": first(10, 8), "b": up(8, 3)}),
        "label_emb.weight",
    ),
    "too small": (lambda: nn.Sequential(first(10, 3, 2)), "conv_transpose"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_chain_is_refused_with_the_first_tensor_that_does_not_fit(name: str) -> None:
    make, named = REFUSED[name]
    with pytest.raises(ArtifactError, match=named):
        recognise(weights(make()), Wanted())


def test_a_tensor_of_no_known_kind_is_named() -> None:
    tensors = weights(official()) | {"noise.strength": torch.zeros(3, 4)}
    with pytest.raises(ArtifactError, match=r"noise\.strength"):
        recognise(tensors, Wanted())


def test_many_equal_layers_are_read_in_bounded_time() -> None:
    """120 convolutions of one shape, whose names say nothing of them."""
    tensors = {f"{index:03}.weight": torch.zeros(7, 7, 3, 3) for index in range(120)}
    with pytest.raises(ArtifactError):
        recognise(tensors, Wanted())


def test_assumptions_are_values_of_the_reading() -> None:
    network, *_ = trained(CASES["PyTorch-GAN"])
    structure = recognise(weights(network), Wanted())[0]
    values = likeliest(structure, Given())
    assert (values.activation.words(), values.eps, values.first_eps) == ("leaky_relu:0.2", 0.8, 1e-5)
    assert dataclasses.replace(values, eps=1e-5) != values
