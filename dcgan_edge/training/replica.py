"""A network many times over the same weights, so that threads can take different images through it at once.

Each copy has gradients of its own; BatchNorm's running statistics are kept by the first. A spectral norm is
worked out once for all copies, before each update, and the sum of their gradients goes back through it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim import Optimizer

from dcgan_edge.training.fast_layers import Total, WholeBatchNorm, use_fast_layers


class Replica:
    """`count` copies of `network`, which `optimiser` trains."""

    def __init__(self, network: nn.Module, optimiser: Optimizer) -> None:
        self._network, self._optimiser = network, optimiser
        self._plain = _without_parametrizations(copy.deepcopy(network))
        self._names = [name for name, _ in self._plain.named_parameters()]
        self._owners = [_owner(network, name) for name in self._names]
        self._computed = [i for i, pair in enumerate(self._owners) if parametrize.is_parametrized(*pair)]
        self._copies: list[list[nn.Parameter]] = []
        # what is worked out is left to `begin`, as asking for it advances the power iteration
        self._weights = [
            parameter if index in self._computed else getattr(*owner)
            for index, (parameter, owner) in enumerate(
                zip(self._plain.parameters(), self._owners, strict=True)
            )
        ]

    @property
    def device(self) -> torch.device:
        """Return where the network is."""
        return next(self._network.parameters()).device

    @property
    def has_dropout(self) -> bool:
        """Return whether a pass through the network draws random numbers."""
        return any(isinstance(module, nn.Dropout) for module in self._plain.modules())

    def shard(self, index: int, total: Total, random: torch.Generator) -> nn.Module:
        """Return the copy for shard `index`; they are asked for in order. See `use_fast_layers`."""
        made = use_fast_layers(copy.deepcopy(self._plain), total, random)
        for name, module in made.named_modules():
            if isinstance(module, WholeBatchNorm):
                module.keep(self._network.get_submodule(name) if index == 0 else None)
        named = dict(made.named_parameters())
        self._copies.append([named[name] for name in self._names])
        self._share(index for index in range(len(self._names)) if index not in self._computed)
        return made

    def begin(self) -> None:
        """Prepare a step: no gradients, and the weights of this moment in every copy."""
        self._optimiser.zero_grad()
        self._renew()

    def take_gradients(self, index: int) -> list[Tensor]:
        """Return the gradients of copy `index`, and leave it without."""
        gradients = []
        for parameter in self._copies[index]:
            assert parameter.grad is not None
            gradients.append(parameter.grad)
            parameter.grad = None
        return gradients

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Train the network by the summed `gradients` of its copies."""
        if self._computed:
            outputs = [self._weights[index] for index in self._computed]
            torch.autograd.backward(outputs, [gradients[index] for index in self._computed])
        for index, (weight, gradient) in enumerate(zip(self._weights, gradients, strict=True)):
            if index not in self._computed:
                weight.grad = gradient
        self._optimiser.step()
        with torch.no_grad():
            self._renew()

    def _renew(self) -> None:
        """Work out what is not a weight itself: a spectral norm, by one power iteration."""
        for index in self._computed:
            owner, name = self._owners[index]
            self._weights[index] = getattr(owner, name)
        self._share(self._computed)

    def _share(self, indices: Iterable[int]) -> None:
        """Let all copies have these weights; those that are the network's own they share for good."""
        for index in indices:
            for parameters in self._copies:
                parameters[index].data = self._weights[index].detach()


def _owner(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    module, _, own = name.rpartition(".")
    return network.get_submodule(module), own


def _without_parametrizations(network: nn.Module) -> nn.Module:
    """Return `network` with plain parameters in the place of those that are worked out.

    torch's `remove_parametrizations` would remove them from all copies, which share their classes.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            names = dict(cast("nn.ModuleDict", module.parametrizations))
            plain = {name: getattr(module, name).detach() for name in names}
            module.__class__ = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            for name, value in plain.items():
                module.register_parameter(name, nn.Parameter(value))
    return network
