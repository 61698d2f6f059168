"""The machines of a Ray cluster (extra `batch`): a pool of processes on them. All machines must see the same folders."""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from inv3d.batch.job import Attempt, Ending
from inv3d.batch.process import PROGRAM, Process
from inv3d.core.errors import UsageError
from inv3d.core.plurals import number_of

_TICK = 0.2
_AHEAD = 1
"""Attempts that wait in the cluster, so that a free machine has something to do at once, and a cluster that can grow does."""
_PATIENCE, _ANSWER = 30.0, 10.0


@dataclass(frozen=True)
class Need:
    """What an attempt needs of a machine: cores, GPUs, and bytes of memory."""

    cores: int
    gpus: int
    memory: float

    @staticmethod
    def of(cluster: dict[str, float], device: str, memory: float) -> Need:
        """One core, or one GPU with its share of the cores. Raises UsageError if GPUs are asked for and there are none."""
        gpus = int(cluster.get("GPU", 0))
        if device.startswith("cuda") and not gpus:
            raise UsageError("the Ray cluster has no GPUs", "use --device auto")
        if device == "cpu" or not gpus:
            return Need(1, 0, memory)
        return Need(max(1, int(cluster.get("CPU", 0)) // gpus), 1, memory)

    def slots(self, cluster: dict[str, float]) -> int:
        """How many fit into a cluster with these resources."""
        fitting = [cluster.get("CPU", 0) / self.cores, cluster.get("memory", 0) / max(1.0, self.memory)]
        return int(min(fitting, default=0) if not self.gpus else min(*fitting, cluster.get("GPU", 0) / self.gpus))


class OfMainThread:
    """Standard output without what other threads print. Ray has one that prints reports on lost machines there, whatever it is
    told; the batch itself says what became of its heads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if threading.current_thread() is threading.main_thread():
            return self._stream.write(text)
        return len(text)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module `ray`, connected to the cluster at an address, "auto" for the one that this machine belongs to. Raises UsageError
    if there is none, or if Ray is not installed."""
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs Ray, which is not installed", 'pip install "inv3d[batch]"') from error
    _reach(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="inv3d")
    except Exception as error:
        raise UsageError(
            f"there is no Ray cluster at {address}: {reason_of(error)}",
            "start one with: ray start --head; or leave out --ray",
        ) from error
    try:
        with redirect_stdout(cast(TextIO, OfMainThread(sys.stdout))):
            yield ray
    finally:
        with redirect_stdout(io.StringIO()):  # reports that it has held back until now
            ray.shutdown()


def reason_of(error: BaseException) -> str:
    """One line on an error of Ray's."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class RayPool:
    """A `Pool` on a cluster to which `ray` is connected. Ray itself repeats nothing: that is for the batch to decide."""

    def __init__(self, ray: Any, need: Need, most: int | None, program: tuple[str, ...] = PROGRAM) -> None:
        self._ray, self._need, self._most = ray, need, most
        self._program = program
        self._work = ray.remote(work).options(
            num_cpus=need.cores, num_gpus=need.gpus, memory=need.memory, max_retries=0
        )
        self._running: dict[Any, tuple[Attempt, float]] = {}

    @staticmethod
    @contextmanager
    def at(
        address: str, memory: float, device: str, most: int | None, program: tuple[str, ...] = PROGRAM
    ) -> Iterator[RayPool]:
        """The pool of the cluster at an address (see `connected`)."""
        with connected(address) as ray:
            yield RayPool(ray, Need.of(ray.cluster_resources(), device, memory), most, program)

    @property
    def slots(self) -> int:
        """Follows machines that come and go."""
        found = self._need.slots(self._ray.cluster_resources()) + _AHEAD
        return max(1, min(found, self._most or found))

    @property
    def description(self) -> str:
        machines = sum(node["Alive"] for node in self._ray.nodes())
        return f"{max(1, self.slots - _AHEAD)} at once on {number_of(machines, 'machine')} of a Ray cluster"

    def start(self, attempt: Attempt, log: Path) -> None:
        device = "cuda" if self._need.gpus else "cpu"
        reference = self._work.remote((*attempt.arguments, "--device", device), log, self._need.cores, self._program)
        self._running[reference] = (attempt, time.monotonic())

    def ended(self) -> list[tuple[Attempt, Ending]]:
        if not self._running:
            time.sleep(_TICK)
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=_TICK)
        return [self._ended(reference, *self._running.pop(reference)) for reference in ready]

    def spare(self) -> None:
        """The cluster itself gives attempts to machines that have the memory."""

    def stop(self) -> None:
        with suppress(Exception):  # a cluster that cannot be reached any more needs no stopping
            for reference in self._running:
                self._ray.cancel(reference)
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=_PATIENCE)

    def _ended(self, reference: Any, attempt: Attempt, start: float) -> tuple[Attempt, Ending]:
        try:
            return attempt, self._ray.get(reference)
        except Exception as error:  # whatever Ray reports of a worker, a machine or its memory
            reason = reason_of(error)
            seconds = round(time.monotonic() - start, 2)
            return attempt, Ending(None, seconds=seconds, message=f"its worker was lost ({reason})")


def _reach(address: str) -> None:
    """Raises UsageError if nobody answers at an address; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    try:
        socket.create_connection((host, int(port)), _ANSWER).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(
            f"there is no Ray cluster at {address}: {error}", "use auto, HOST:PORT or ray://HOST:PORT; leave out --ray to use this machine"
        ) from error


def work(arguments: tuple[str, ...], log: Path, threads: int, program: tuple[str, ...]) -> Ending:
    """Make an attempt, on a machine of the cluster; Ray has chosen the GPU by CUDA_VISIBLE_DEVICES."""
    process = Process(arguments, log, threads, program=program)
    try:
        while (ending := process.ended()) is None:
            time.sleep(_TICK / 2)
        return ending
    finally:
        process.stop()
        process.wait()
