"""What the builder is told: memory, settings, batch profiles, targets, kernel timings of earlier builds.

Between a job and the compiler (`engine_compile`). Whatever the version at hand does not have is refused, and
never left out in silence.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, get_args

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import EdgeError, UnavailableError, UsageError
from dcgan_edge.files import write_atomic
from dcgan_edge.runtime.tensorrt.library import optional, set_optional

if TYPE_CHECKING:
    from tensorrt import (
        Builder,
        ComputeCapability,
        HardwareCompatibilityLevel,
        IBuilderConfig,
        IHostMemory,
        INetworkDefinition,
        IOptimizationProfile,
        ITensor,
        ITimingCache,
    )

Compatibility = Literal["none", "ampere-plus", "same-compute-capability"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What the builder can be told; each of these changes the engine.

    `optimization_level` is from 0 (quick build) to 5 (quick engine), None for the library's own.
    `hardware_compat` lets more kinds of GPU run the engine, at some cost in speed; `version_compatible` lets
    later versions of TensorRT.
    """

    optimization_level: int | None = None
    hardware_compat: Compatibility = "none"
    version_compatible: bool = False

    def __post_init__(self) -> None:
        if self.optimization_level not in (None, *range(6)):
            raise UsageError(f"Optimisation levels are 0 to 5, not {self.optimization_level}.")
        if self.hardware_compat not in get_args(Compatibility):
            raise UsageError(
                f"Hardware compatibility is one of {', '.join(get_args(Compatibility))}, not "
                f"{self.hardware_compat!r}."
            )


def apply_settings(trt: ModuleType, config: IBuilderConfig, settings: Settings) -> None:
    """Set `settings` on `config`, and have float32 computed in float32: in TF32, which the library would
    take, trained weights miss the gate of fp32. Raises UnavailableError for what this version does not have.
    """
    config.clear_flag(trt.BuilderFlag.TF32)
    if settings.optimization_level is not None:
        config.builder_optimization_level = settings.optimization_level
    if settings.hardware_compat != "none":
        config.hardware_compatibility_level = _compatibility(trt, settings.hardware_compat)
    if settings.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)


def _compatibility(trt: ModuleType, wanted: Compatibility) -> HardwareCompatibilityLevel:
    if wanted == "ampere-plus":
        return trt.HardwareCompatibilityLevel.AMPERE_PLUS
    level: HardwareCompatibilityLevel | None = optional(
        trt.HardwareCompatibilityLevel,
        "SAME_COMPUTE_CAPABILITY",
        versions=("10.13", "10.16", "11.4", "rtx"),
    )
    if level is None:
        raise UnavailableError(
            f"TensorRT {trt.__version__} has no hardware compatibility {wanted!r}; 10.13 and later have."
        )
    return level


def add_profiles(
    builder: Builder, network: INetworkDefinition, config: IBuilderConfig, profiles: tuple[BatchProfile, ...]
) -> None:
    """Tell the compiler which batches to expect of every input whose first axis is open."""
    inputs: list[ITensor] = [network.get_input(index) for index in range(network.num_inputs)]
    shapes: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.shape) for tensor in inputs}
    fixed = {shape[0] for shape in shapes.values() if shape[0] >= 0}
    if fixed:
        for batch in profiles:
            if {batch.min, batch.opt, batch.max} != fixed:
                raise UsageError(
                    f"This graph has a fixed batch of {fixed.pop()}; batches {batch.min} to {batch.max} need "
                    "one that was exported with them: dcgan-edge export --min-batch --max-batch."
                )
        return
    for batch in profiles:
        profile: IOptimizationProfile = builder.create_optimization_profile()
        for name, (_, *rest) in shapes.items():
            profile.set_shape(name, (batch.min, *rest), (batch.opt, *rest), (batch.max, *rest))
        if config.add_optimization_profile(profile) < 0:
            raise EdgeError(f"The builder refuses batches {batch.min} to {batch.max}.")


def set_targets(trt: ModuleType, config: IBuilderConfig, targets: tuple[str, ...]) -> None:
    """Have TensorRT-RTX compile for `targets` instead of for the GPU of this machine."""
    if not targets:
        return
    generations: type[ComputeCapability] | None = optional(trt, "ComputeCapability", versions=("rtx",))
    set_target = optional(config, "set_compute_capability", versions=("rtx",))
    if generations is None or set_target is None:
        raise UnavailableError(f"{trt.__name__} builds for the GPU of this machine only, not ahead of time.")
    members = {
        "sm75": generations.SM75,
        "sm80": generations.SM80,
        "sm86": generations.SM86,
        "sm89": generations.SM89,
        "sm120": generations.SM120,
        "sm121": generations.SM121,
    }
    set_optional(config, "num_compute_capabilities", len(targets), versions=("rtx",))
    for index, target in enumerate(targets):
        if not set_target(members[target], index):
            raise EdgeError(f"{trt.__name__} {trt.__version__} does not compile for {target}.")


def use_timings(config: IBuilderConfig, path: Path) -> None:
    """Start from the kernel timings of earlier builds, or afresh where there are none that fit."""
    earlier = path.read_bytes() if path.is_file() else b""
    for data in (earlier, b""):
        cache: ITimingCache = config.create_timing_cache(data)
        if cache is not None and config.set_timing_cache(cache, False):
            return


def keep_timings(config: IBuilderConfig, path: Path | None) -> None:
    """Write the kernel timings of this build to `path`, if there is one; failing is logged."""
    cache: ITimingCache | None = config.get_timing_cache() if path else None
    if path is None or cache is None:
        return
    memory: IHostMemory | None = cache.serialize()
    if memory is None:
        return
    try:
        write_atomic(path, bytes(memory))
    except EdgeError as error:
        _log.warning("The kernel timings were not kept for the next time: %s", error)
