"""Memory: how much was used, how much is free, and the one place where running out of it becomes a clear error.

A job states its needs before it starts (`require`); memory that runs out later is recognised (`memory_errors`).
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from inv3d.core.errors import Inv3dError, OutOfMemoryError

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_LOADED = 0.6e9
"""Resident bytes of the libraries, before any work."""
_AMPLE = 8e9
"""An address space in which they load on every machine."""
_THREAD = 72 << 20
"""Address space of a thread: its stack, and what the C library reserves for its allocations."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt
_KEPT, _LARGEST_KEPT = 1 << 30, 1 << 25  # bytes in all, and of an allocation: more is not allowed everywhere
_TRIAL = "import av, scipy.ndimage, skimage.measure, torch; torch.zeros(1 << 25)"
"""Code that loads the large libraries and allocates a little more."""
_UNLIMITED = 1 << 60  # bytes; what control groups of the first version say when they have no limit is larger
_SIGNS = (
    "can't allocate memory",  # PyTorch, CPU
    "not enough memory",  # PyTorch, Windows
    "cuda out of memory",
    "out_of_memory",  # CUDA libraries
    "could not create a primitive",  # oneDNN
    "could not execute a primitive",
    "could not create a memory",
    "bad_alloc",
    "bad allocation",
    "cannot allocate memory",
    "unable to allocate",  # NumPy
    "failed to map segment",  # the loader of shared libraries
    "can't start new thread",
    "mmap failed",
    "malloc failed",
    "out of memory",
)
"""Lower-case messages of libraries that run out of memory without raising MemoryError."""
_LESS = {
    "--jobs": "fewer --jobs", "--resolution": "a smaller --resolution", "--texture": "a smaller --texture",
    "--frames": "fewer --frames", "--seeds": "fewer --seeds", "--views": "fewer --views", "--preset": "--preset fast",
}  # fmt: skip
"""What asks for less memory, by the option that a command needs for it."""


def _resource() -> ModuleType | None:
    try:
        return importlib.import_module("resource")
    except ImportError:  # Windows
        return None


def keep_freed_memory() -> bool:
    """Have the C library (GNU's; others are left alone) keep what is freed for the next allocation; whether it does.

    Every step of a fit needs tensors as large as those of the step before. Returned to the system in between, they come back
    as pages that must be cleared first, which takes longer than some of the work on them.
    """
    try:
        choose = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(choose(_TRIM_THRESHOLD, _KEPT) and choose(_MMAP_THRESHOLD, _LARGEST_KEPT))


def peak_memory_mb() -> int:
    """Peak resident size in MB; 0 on systems that do not report it (Windows)."""
    resource = _resource()
    if resource is None:
        return 0
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def free_memory() -> int:
    """Bytes that this process may still use: the minimum over the machine, its control groups and `ulimit`."""
    return min(_machine(), _control_groups(), address_space())


def address_space() -> int:
    """Bytes that `ulimit -v` (and `-d`) still allow; without such a limit a very large number."""
    resource = _resource()
    if resource is None:
        return _UNLIMITED
    used = _fields(_PROC / "self" / "status", ":")
    left = _UNLIMITED
    for limit, size in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            left = min(left, soft - used.get(size, 0) - _THREAD * (os.cpu_count() or 1))
    return left


def _machine() -> int:
    """Available memory and swap space on Linux; elsewhere the total memory."""
    told = _fields(_PROC / "meminfo", ":")
    if "MemAvailable" in told:
        return told["MemAvailable"] + told.get("SwapFree", 0)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNLIMITED


def _control_groups() -> int:
    """What the limits of this process's control groups (both versions) leave; file caches count as free."""
    left = _UNLIMITED
    for line in _text(_PROC / "self" / "cgroup").splitlines():
        _, controllers, own = line.split(":", 2)
        first = "memory" in controllers.split(",")
        if controllers and not first:
            continue
        root = _GROUPS / "memory" if first else _GROUPS
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if first else ("memory.max", "memory.current")
        group = root / own.lstrip("/")
        # in a container the path may be that of the host: then the root of what is mounted is the own group
        for folder in (group, *group.parents):
            limit, used = (_text(folder / name).strip() for name in names)
            if limit.isdigit() and used.isdigit() and int(limit) < _UNLIMITED:
                told = _fields(folder / "memory.stat", " ")
                cached = told.get("total_inactive_file" if first else "inactive_file", 0)
                left = min(left, int(limit) - int(used) + cached)
            if folder == root:
                break
    return left


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _fields(path: Path, sign: str) -> dict[str, int]:
    """The entries of files such as /proc/meminfo, in bytes."""
    found = {}
    for line in _text(path).splitlines():
        name, _, rest = line.partition(sign)
        number, *unit = rest.split() or [""]
        if number.isdigit():
            found[name] = int(number) << (10 if unit == ["kB"] else 0)
    return found


def require_start() -> None:
    """Raises OutOfMemoryError if there is not even enough memory to load the libraries.

    Where `ulimit -v` is tight, native code ends the process while it loads, which cannot be caught: so another
    process tries it first.
    """
    require(min(_LOADED, address_space()), "inv3d", "close other programs")  # the address space is tested separately
    if address_space() >= _AMPLE:
        return
    trial = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True, check=False)
    if trial.returncode:
        raise OutOfMemoryError(
            "the limit on the address space (ulimit -v) is too low for PyTorch",
            f"raise it; {_gigabytes(_AMPLE)} GB suffice for everything but large models",
        )


def require(needed: float, what: str, hint: str, free: int | None = None) -> None:
    """Raises OutOfMemoryError if there are fewer `free` bytes, by default in this machine's memory, than `what` is about to
    need."""
    free = free_memory() if free is None else free
    if needed > free:
        raise OutOfMemoryError(
            f"{what} needs about {_gigabytes(needed)} GB of memory; {_gigabytes(free)} GB are free", hint
        )


def most(needed: Callable[[int], float], largest: int) -> int:
    """The largest number up to `largest` whose (increasing) need is free; 0 if there is none."""
    low, high, free = 0, largest, free_memory()
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if needed(middle) <= free else (low, middle - 1)
    return low


def _gigabytes(size: float) -> str:
    return f"{math.ceil(max(0.0, size) / 1e8) / 10:.1f}"


def ran_out(error: BaseException) -> bool:
    """Whether an error, or one of its causes, means that memory ran out."""
    seen: set[int] = set()
    reason: BaseException | None = error
    while reason is not None and id(reason) not in seen:
        seen.add(id(reason))
        if isinstance(reason, MemoryError) or (isinstance(reason, OSError) and reason.errno == errno.ENOMEM):
            return True
        # our own messages, and the system's messages about files, may contain any name
        if not isinstance(reason, Inv3dError) and not getattr(reason, "filename", None):
            text = str(reason).lower()
            if any(sign in text for sign in _SIGNS):
                return True
        reason = reason.__cause__ or reason.__context__
    return False


@contextmanager
def memory_errors(*options: str) -> Iterator[None]:
    """Turn every way in which a library reports a lack of memory into OutOfMemoryError; its hint names those of the job's
    `options` that ask for less."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or not ran_out(error):
            raise
        raise out_of_memory(error, options) from error


def out_of_memory(error: BaseException, options: Collection[str] = ()) -> OutOfMemoryError:
    """The error to report when memory has run out in a command with these `options`."""
    on_device = "cuda" in str(error).lower()
    ways = ["--device cpu"] if on_device and "--device" in options else []
    ways += [way for option, way in _LESS.items() if option in options]
    hint = f"close other programs, or use {' or '.join(ways)}" if ways else "close other programs"
    return OutOfMemoryError(f"{'the device' if on_device else 'inv3d'} ran out of memory", hint)
