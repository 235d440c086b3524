"""Philox4x64-10 written from the paper, as a second opinion on NumPy's stream.

Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator

MASK = 2**64 - 1
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ROUNDS = 10


def block(counter: int, key: int) -> tuple[int, int, int, int]:
    """Four 64-bit words for a 256-bit counter and a 128-bit key."""
    x0, x1, x2, x3 = (counter >> shift & MASK for shift in (0, 64, 128, 192))
    k0, k1 = key & MASK, key >> 64
    for _ in range(ROUNDS):
        product0, product1 = MULTIPLIERS[0] * x0, MULTIPLIERS[1] * x2
        x0, x1, x2, x3 = (
            product1 >> 64 ^ x1 ^ k0,
            product1 & MASK,
            product0 >> 64 ^ x3 ^ k1,
            product0 & MASK,
        )
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return x0, x1, x2, x3


def stream(seed: int) -> Iterator[int]:
    """The words of seed after seed's first counter step, as NumPy's `Philox(key=seed)` emits them."""
    counter = 0
    while True:
        counter += 1
        yield from block(counter, seed)
