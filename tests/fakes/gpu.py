"""An in-memory GPU: memory with poison, streams as queues, a clock. Nothing runs before it is waited for.

`cudart` and `tensorrt` of this package speak NVIDIA's APIs and do their work here. Whatever a real GPU would
punish with a crash, a race or a wrong picture is a violation, and `Lab` fails the test that caused one.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan_edge.latents import FloatArray

ByteArray = npt.NDArray[np.uint8]
POISON = 0xFF  # four of them are a float32 NaN
DEVICE_BASE = 0x7E00_0000_0000  # where no process has memory: to follow such a pointer on the host is a crash
MAPPED_OFFSET = (
    0x0100_0000_0000  # host memory as the GPU sees it, so that the two pointers cannot be mixed up
)
GUARD = 4096  # bytes between allocations


@dataclass
class Block:
    """One allocation. `device_address` is set for device memory and for mapped host memory."""

    address: int
    data: ByteArray
    on_host: bool
    device_address: int = 0
    gpu: int = 0  # the number of the GPU that it was had from
    alive: bool = True


@dataclass
class Access:
    """Memory that queued work reads or writes; the host's is watched while the work is pending."""

    address: int
    nbytes: int
    by_gpu: bool  # the GPU itself reads or writes it, so it takes a device pointer
    writes: bool


@dataclass(eq=False)
class Work:
    """Something queued on a stream. `milliseconds` is how far the GPU's clock moves when it runs."""

    run: Callable[[], None]
    accesses: tuple[Access, ...] = ()
    milliseconds: float = 0.0
    scratch: int = 0  # address of the scratch memory that it needs for itself
    owner: weakref.ref[Any] | None = None  # the execution context, which must live until the work is done
    seen: list[tuple[ByteArray, ByteArray]] = field(
        default_factory=list
    )  # (view, content when it was queued)

    def copy(self) -> Work:
        return Work(self.run, self.accesses, self.milliseconds, self.scratch, self.owner)


@dataclass
class StreamState:
    queue: list[Work] = field(default_factory=list)
    gpu: int = 0
    captured: list[Work] | None = None  # while capturing
    capture_valid: bool = True


class Gpu:
    """The state of the machine. `calls` are the library calls so far; `fail` decides which of them fail.

    It has `count` GPUs, alike but for their names, each with `memory` bytes of its own.
    """

    def __init__(
        self,
        *,
        memory: int = 2**30,
        sm: str = "sm87",
        integrated: bool = False,
        name: str = "Orin (fake)",
        count: int = 1,
    ) -> None:
        self.memory = memory
        self.count = count
        self.chosen: dict[int, int] = {}  # by thread: the GPU that is current there
        self.sm = sm
        self.name = name
        self.integrated = integrated
        self.maps_host_memory = True
        self.blocks: list[Block] = []
        self.streams: dict[int, StreamState] = {}
        self.handles: dict[int, str] = {}  # events, graphs and executable graphs that were not destroyed
        self.objects: weakref.WeakSet[Any] = weakref.WeakSet()  # of TensorRT
        self.violations: list[str] = []
        self.stale_error = False  # the last CUDA error was not taken back
        self.calls: list[str] = []
        self.executed: list[tuple[int, int]] = []  # (profile, batch)
        self.latents: FloatArray = np.empty((0, 0), np.float32)  # of the last execution, padding included
        self.compiled: list[str] = []  # kernels, by TensorRT-RTX
        self.clock = 0.0
        self.fail: Callable[[int, str], bool] = lambda index, name: False
        self._next_device = DEVICE_BASE
        self._next_handle = 0x5000

    def enter(self, name: str) -> bool:
        """Count a call; whether it fails."""
        self.calls.append(name)
        return self.fail(len(self.calls) - 1, name)

    def violate(self, text: str) -> None:
        self.violations.append(text)

    @property
    def current(self) -> int:
        """The GPU that is current in this thread; the first where none was chosen."""
        return self.chosen.get(threading.get_ident(), 0)

    def choose(self, number: int) -> bool:
        """Make GPU `number` this thread's current one. Return whether there is such a GPU."""
        if 0 <= number < self.count:
            self.chosen[threading.get_ident()] = number
        return 0 <= number < self.count

    def require_current(self, number: int, what: str) -> None:
        """Punish the use of something of another GPU than the current one."""
        if number != self.current:
            self.violate(f"{what} of GPU {number} was used while GPU {self.current} was current")

    # memory

    @property
    def used(self) -> int:
        """Bytes of the current GPU's memory that are taken; an integrated GPU's host memory is the same."""
        return self.used_on(self.current)

    def used_on(self, number: int) -> int:
        """Bytes of GPU `number` that are taken."""
        mine = [b for b in self.blocks if b.alive and b.gpu == number]
        return sum(len(b.data) for b in mine if not b.on_host or self.integrated)

    def allocate(self, nbytes: int, *, on_host: bool, mapped: bool = False) -> Block | None:
        """New poisoned memory, None if there is not enough."""
        if nbytes <= 0 or self.used + nbytes > self.memory:
            return None
        data = np.full(nbytes, POISON, np.uint8)
        if on_host:
            address = int(data.ctypes.data)
            block = Block(address, data, True, address + MAPPED_OFFSET if mapped else 0, self.current)
        else:
            block = Block(self._next_device, data, False, self._next_device, self.current)
            self._next_device += nbytes + GUARD
        self.blocks.append(block)
        return block

    def free(self, address: int, *, on_host: bool) -> bool:
        """Give memory back; its content becomes poison. False for what is not allocated."""
        for block in self.blocks:
            if block.address == address and block.on_host == on_host and block.alive:
                self.require_current(block.gpu, "memory")
                if any(
                    self._touches(work, block) for stream in self.streams.values() for work in stream.queue
                ):
                    self.violate("memory was freed while queued work uses it")
                block.alive = False
                block.data[:] = POISON
                return True
        self.violate("memory was freed twice, or never allocated")
        return False

    def view(self, address: int, nbytes: int, *, by_gpu: bool) -> ByteArray | None:
        """The memory behind a pointer; None, and a violation, where there is none or not enough."""
        for block in self.blocks:
            start = block.device_address if by_gpu else block.address
            if start and start <= address < start + len(block.data):
                offset = address - start
                if not block.alive:
                    self.violate("memory was used after it was freed")
                elif offset + nbytes > len(block.data):
                    self.violate(f"{nbytes} bytes were used of an allocation of {len(block.data)}")
                else:
                    return block.data[offset : offset + nbytes]
                return None
        self.violate(f"a pointer that the {'GPU' if by_gpu else 'host'} does not know was used")
        return None

    # streams

    def queue(self, handle: int, work: Work) -> None:
        """Queue `work`, or record it where the stream is capturing."""
        stream = self.streams[handle]
        self.require_current(stream.gpu, "a stream")
        if stream.captured is not None:
            stream.captured.append(work)
            return
        for other_handle, other in self.streams.items():
            if (
                other_handle != handle
                and work.scratch
                and any(w.scratch == work.scratch for w in other.queue)
            ):
                self.violate("two streams use the same scratch memory at the same time")
            if other_handle != handle and any(
                w.owner and work.owner and w.owner() is work.owner() for w in other.queue
            ):
                self.violate("an execution context runs on two streams at the same time")
        stream.queue.append(work)
        self._watch(work)

    def wait(self, handles: Iterable[int]) -> None:
        """Run what is queued on these streams."""
        for handle in handles:
            stream = self.streams[handle]
            self.require_current(stream.gpu, "a stream")
            while stream.queue:
                self._run(stream.queue[0])
                stream.queue.pop(0)

    def abort(self, handle: int) -> None:
        """The work on a stream failed: it is gone, and what it should have written is poison."""
        self.streams[handle].queue.clear()

    def new_handle(self, kind: str) -> int:
        self._next_handle += 1
        self.handles[self._next_handle] = kind
        return self._next_handle

    def destroy(self, handle: int, kind: str) -> bool:
        if self.handles.get(handle) != kind:
            self.violate(f"a {kind} was destroyed twice, or is none")
            return False
        del self.handles[handle]
        return True

    def leaks(self) -> list[str]:
        """What was had and not given back."""
        memory = [
            f"{len(b.data)} bytes on the {'host' if b.on_host else 'GPU'}" for b in self.blocks if b.alive
        ]
        objects = [type(thing).__name__ for thing in self.objects]
        return memory + [f"a {kind}" for kind in self.handles.values()] + objects

    def _watch(self, work: Work) -> None:
        """Remember what the host must not touch; poison what the host must not read yet."""
        for access in work.accesses:
            view = self.view(access.address, access.nbytes, by_gpu=access.by_gpu)
            if view is not None and self._is_host(view):
                if access.writes:
                    view[:] = POISON
                work.seen.append((view, view.copy()))

    def _run(self, work: Work) -> None:
        for view, content in work.seen:
            if not np.array_equal(view, content):
                self.violate("the host wrote to memory while queued work was using it")
        work.seen.clear()
        if work.owner is not None and work.owner() is None:
            self.violate("an execution context was destroyed before its work was done")
        self.clock += work.milliseconds
        work.run()

    def _is_host(self, view: ByteArray) -> bool:
        return any(block.on_host and np.shares_memory(block.data, view) for block in self.blocks)

    def _touches(self, work: Work, block: Block) -> bool:
        starts = {block.address, block.device_address}
        return work.scratch in starts or any(
            start and start <= access.address < start + len(block.data)
            for start in starts
            for access in work.accesses
        )
