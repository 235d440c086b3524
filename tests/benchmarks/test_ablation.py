"""The ablation: its own step is the product's where nothing is changed, and its table reads its records."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks import ablation_variants as variants
from benchmarks.ablation import main
from benchmarks.ablation_variants import VARIANTS, Variant, begin, other_step, step_of, translated
from dcgan_edge.artifact import Architecture
from dcgan_edge.training.state import tensors

DEFAULT = VARIANTS[0]
SMALL = Architecture("dcgan", 28, 1, width=2, latent_dim=8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "ARCHITECTURE", SMALL)


def pixels(count: int = 8) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)


def test_its_own_step_without_a_change_is_that_of_the_product() -> None:
    states = [begin(DEFAULT, seed=3) for _ in range(2)]
    images = pixels()
    for state, step in zip(states, (step_of, None), strict=True):
        torch.manual_seed(5)
        for _ in range(3):
            if step is not None:
                step(DEFAULT, state, images, 0.0)
            else:
                other_step(DEFAULT, state, images)
    one, other = map(tensors, states)
    # the same operations; a faster step of the product may sum in another order
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_takes_a_step(variant: Variant) -> None:
    narrow = dataclasses.replace(variant, width_d=2 if variant.width_d == 32 else 3)
    state = begin(narrow, seed=0)
    before = [parameter.clone() for parameter in state.generator.parameters()]
    step_of(narrow, state, pixels(), 0.4)
    assert state.step == 1
    changed = zip(state.generator.parameters(), before, strict=True)
    assert all(not torch.equal(now, then) for now, then in changed)


def test_translation_moves_images_and_keeps_what_stays_inside() -> None:
    torch.manual_seed(0)
    images = torch.full((50, 1, 28, 28), -1.0)
    images[:, :, 14, 14] = 1.0
    moved = translated(images)
    assert moved.shape == images.shape
    places = (moved == 1.0).nonzero()[:, 2:]
    assert len(places) == 50
    assert places.min() == 14 - 3
    assert places.max() == 14 + 3


def test_the_table_is_made_of_what_there_is(tmp_path: Path) -> None:
    figures = {"precision": 0.7, "recall": 0.8, "read": 0.5, "fewest": 150, "most": 260}
    records = [
        {
            "variant": DEFAULT.name,
            "seed": seed,
            "budget": 600,
            "cost": 1.0,
            "steps": 600,
            "fid": fid,
            **figures,
        }
        for seed, fid in enumerate((3.0, 5.0))
    ]
    results = tmp_path / "ablation.jsonl"
    results.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    shown = CliRunner().invoke(main, ["--results", str(results), "--table"]).stdout.splitlines()
    assert len(shown) == 4
    assert "real images" in shown[2]
    assert "| 2 | 600 | 4.00 ± 1.41 | 0.70 ± 0.00 | 0.80 ± 0.00 | 0.50 ± 0.00 | 150 to 260 |" in shown[3]
