"""Everything that changes while training: two networks, the averaged generator, two Adam states, the step.

The optimisers' states are named by parameter (`generator.layers.0.weight.exp_avg`), never by position, so
that a checkpoint says what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Adam

from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import EdgeError
from dcgan_edge.models import build_discriminator, build_generator
from dcgan_edge.training.config import TrainConfig
from dcgan_edge.training.ema import averaged_copy

WORD = 4  # bytes of a float32
LATENT_BYTES = 2048 * 32  # for each component: 2,048 latents, drawn in float64 with room to work
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # Adam's state of one parameter, in torch's own names


@dataclass
class TrainState:
    """The networks live on the training device in channels-last order, which convolutions run fastest in."""

    architecture: Architecture
    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module
    generator_adam: Adam
    discriminator_adam: Adam
    step: int = 0

    def networks(self) -> dict[str, nn.Module]:
        """Return the networks by the names that they have in a checkpoint."""
        return {"generator": self.generator, "discriminator": self.discriminator, "ema": self.average}

    def optimisers(self) -> dict[str, tuple[nn.Module, Adam]]:
        """Return each network with its optimiser, by the network's name in a checkpoint."""
        return {
            "generator": (self.generator, self.generator_adam),
            "discriminator": (self.discriminator, self.discriminator_adam),
        }

    def set_learning_rate(self, rate: float) -> None:
        """Let both optimisers learn at `rate` from the next step on."""
        for _, adam in self.optimisers().values():
            for group in adam.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate

    def let_adam_be_captured(self) -> None:
        """Keep the learning rate on the device, where a CUDA graph reads it at each launch."""
        for _, adam in self.optimisers().values():
            for group in adam.param_groups:
                group["lr"] = torch.tensor(group["lr"], device=group["params"][0].device)
                group["capturable"] = True


def new_state(config: TrainConfig, device: torch.device) -> TrainState:
    """Return fresh networks from torch's global generators, and Adam with its state allocated."""
    # Built on the CPU and then moved, so that a seed begins with the same weights on every device.
    generator = _placed(build_generator(config.architecture), device)
    discriminator = _placed(build_discriminator(config.architecture, config.discriminator), device)
    return TrainState(
        config.architecture,
        generator,
        discriminator,
        averaged_copy(generator),
        _adam(generator, config),
        _adam(discriminator, config),
    )


def required_bytes(config: TrainConfig) -> int:
    """Return the bytes that a training takes at the least, before the first image goes through it.

    Counted are the weights, their gradients, Adam's two moments, the averaged generator, and the latents that
    its statistics are measured on. Nothing is allocated. Raises EdgeError for networks beyond 2**63 bytes.
    """
    architecture = config.architecture
    try:
        with torch.device("meta"):
            networks = (
                build_generator(architecture),
                build_discriminator(architecture, config.discriminator),
            )
            generator, discriminator = (
                sum(parameter.numel() for parameter in network.parameters()) for network in networks
            )
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise EdgeError(f"No machine holds these networks: {architecture}.") from error
    return WORD * (5 * generator + 4 * discriminator) + LATENT_BYTES * architecture.input_dim


def _placed(network: nn.Module, device: torch.device) -> nn.Module:
    return convert_conv2d_weight_memory_format(network.to(device), torch.channels_last)


def _adam(network: nn.Module, config: TrainConfig) -> Adam:
    """Adam in one fused kernel. Its moments have the memory order of the weights, as the kernel expects."""
    adam = Adam(network.parameters(), config.learning_rate, (config.beta1, config.beta2), fused=True)
    for parameter in network.parameters():
        adam.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
    return adam


def tensors(state: TrainState) -> dict[str, Tensor]:
    """Return every tensor of `state` by its name in a checkpoint; the tensors themselves, not copies."""
    named: dict[str, Tensor] = {}
    for prefix, network in state.networks().items():
        named |= {f"{prefix}.{name}": value for name, value in network.state_dict().items()}
    for prefix, (network, adam) in state.optimisers().items():
        for name, parameter in network.named_parameters():
            moments = adam.state[parameter]
            named |= {f"adam.{prefix}.{name}.{moment}": moments[moment] for moment in MOMENTS}
    return named
