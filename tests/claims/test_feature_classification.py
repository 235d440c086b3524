"""The table of features classify: which draws are made, what methods see, and that features carry meaning."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dcgan_edge.artifact import Architecture
from dcgan_edge.claims.features import classification
from dcgan_edge.claims.features.classification import Cell, classify, untrained
from dcgan_edge.data import load_digits
from dcgan_edge.data.labelled import Labelled
from dcgan_edge.models import build_discriminator

SMALL = Architecture("dcgan", 28, 1, 4, 8)
pytest.importorskip("sklearn", reason="the extra 'features' is not installed")


def digits(split: str, count: int) -> Labelled:
    images, labels = load_digits("train" if split == "train" else "test")
    return Labelled(images[:count, None], labels[:count].astype(np.int64))


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    torch.manual_seed(0)
    discriminator = build_discriminator(SMALL).eval()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification, "supervised_accuracy", lambda *_, seed: 0.25 + seed / 4)
        return classify(
            discriminator, SMALL, digits("train", 150), digits("test", 150), counts=[20, None], draws=2
        )


def cell(cells: list[Cell], method: str, labels: int) -> Cell:
    return next(each for each in cells if each.method == method and each.labels == labels)


def test_every_method_meets_every_number_of_labels(cells: list[Cell]) -> None:
    assert [(each.method, each.labels) for each in cells] == [
        (method, labels)
        for method in ("trained", "pixels", "untrained", "supervised")
        for labels in (20, 150)
    ]


def test_what_is_not_drawn_runs_once(cells: list[Cell]) -> None:
    draws = {(each.method, each.labels): len(each.accuracies) for each in cells}
    assert draws["trained", 20] == draws["pixels", 20] == draws["untrained", 20] == 2
    assert draws["trained", 150] == draws["pixels", 150] == 1
    assert draws["untrained", 150] == draws["supervised", 150] == 2


def test_more_labels_classify_better_than_chance(cells: list[Cell]) -> None:
    for method in ("trained", "pixels", "untrained"):
        few, all_of_them = (cell(cells, method, labels).mean for labels in (20, 150))
        assert 0.2 < few < all_of_them
        assert all_of_them > 0.6  # ten classes: chance is 0.1


def test_spread_is_between_draws(cells: list[Cell]) -> None:
    supervised = cell(cells, "supervised", 20)
    assert supervised.accuracies == (0.25, 0.5)
    assert supervised.mean == 0.375
    assert supervised.spread == pytest.approx(0.25 / 2**0.5)
    assert cell(cells, "pixels", 150).spread is None
    facts = supervised.to_dict()
    assert (facts["accuracy"], facts["labels"], facts["c"]) == (0.375, 20, [])


def test_chosen_methods_only() -> None:
    found = classify(
        untrained(SMALL, 0), SMALL, digits("train", 50), digits("test", 50), counts=[None], draws=1,
        methods=("pixels",),
    )  # fmt: skip
    assert [each.method for each in found] == ["pixels"]


def test_an_untrained_network_is_that_of_its_seed() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, same, other = (untrained(SMALL, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["layers.0.weight"], other["layers.0.weight"])
