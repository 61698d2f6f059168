"""The choice of a device, and its reason; work in threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch

from inv3d.core.errors import UsageError
from inv3d.core.plurals import number_of
from inv3d.core.processors import THREADS, processors
from inv3d.core.repeatable import repeat_exactly

Made = TypeVar("Made")


@dataclass(frozen=True)
class DeviceChoice:
    device: torch.device
    reason: str


def choose_device(name: str = "auto", deterministic: bool = False) -> DeviceChoice:
    """`auto`, `cpu`, `cuda` or `cuda:N`; with `deterministic` it computes everything in the same order every time (see
    `repeatable`). Raises UsageError for a device that this machine lacks."""
    if deterministic:
        repeat_exactly()
    if name == "auto":
        if torch.cuda.is_available():
            return DeviceChoice(torch.device("cuda"), f"{torch.cuda.get_device_name()} found")
        return DeviceChoice(torch.device("cpu"), f"no CUDA device; {_threads()}")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UsageError(f"'{name}' is not a device", "use --device auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(
            f"there is no device '{name}' on this machine", "use --device auto; `inv3d doctor` says which one that is"
        )
    return DeviceChoice(device, "as asked")


def _threads() -> str:
    """How many threads there are, and of how many processors."""
    count, most = torch.get_num_threads(), processors()
    threads = number_of(count, "thread")
    if count >= most:
        return threads
    return f"{threads} on {most} processors, as others are busy or {THREADS} says"


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16: GPUs, and CPUs with AVX512_BF16."""
    return device.type != "cpu" or getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Whether `half_where_fast` changes anything."""
    return device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def half_where_fast(device: torch.device) -> torch.autocast:
    """A context that computes in bfloat16 on devices that have it, and changes nothing on others: CPUs without it emulate
    it, several times slower than float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=multiplies_in_bfloat16(device))


def free_on(device: torch.device) -> int:
    """Bytes of a GPU's memory that nobody uses."""
    return torch.cuda.mem_get_info(device)[0]


def peak_device_memory_mb(device: torch.device) -> int:
    """Most memory in MB that PyTorch has held of a device at a time since the start; 0 for a CPU, whose memory is the
    process's."""
    return 0 if device.type == "cpu" else round(torch.cuda.max_memory_reserved(device) / (1 << 20))


def in_threads(device: torch.device, count: int, one: Callable[[int], Made]) -> list[Made]:
    """`one(i)` for all i below `count`, in order. A CPU computes several at a time with one thread each: a render alone gains
    little from a second thread."""
    if device.type != "cpu":
        return [one(i) for i in range(count)]
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(one, range(count)))
    finally:
        torch.set_num_threads(threads)  # some of the workers' settings apply to all threads
