"""Steps of a fit as CUDA graphs: a step is recorded once, and then the device repeats it without being told every kernel.

Repeated steps run the same kernels on the same memory, whatever the host has done since. So what differs between steps lies in
tensors that are filled before a step (rates of learning, the strength of noise, the guide of the samples), random numbers come
from a generator that the graph knows, and a step whose kernels differ is recorded anew (see `Repeated`).

Not yet run on a GPU: off unless the environment asks for it (`VARIABLE`). A device that cannot record, or whose recording comes
to something else than the step itself, is told of in a warning, and steps go on as they are.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from inv3d.core.errors import Inv3dWarning

if TYPE_CHECKING:
    from inv3d.core.inversion.loop import Losses

VARIABLE = "INV3D_CUDA_GRAPHS"
"""1 in the environment lets GPUs record steps."""
_PLAIN = 3
"""Steps of a kind before one is recorded: they prepare kernels, targets and moments."""
_TOLERANCE = 0.05
"""Relative error of what a recorded step changes: sums in another order differ by a hundredth at most, frozen or lost numbers by
as much as they are."""

Kind = TypeVar("Kind")
State = Sequence[Sequence[Tensor]]
"""Tensors, alike ones together."""


class Recorder(Protocol):
    """What records steps: `Gpu`, or its stand-in in tests."""

    works: bool
    """Whether nothing has failed so far."""

    def aside(self) -> AbstractContextManager[None]:
        """The time during which steps may be recorded; all of a stage's belong there."""
        ...

    def record(self, step: Callable[[], Losses], random: torch.Generator) -> tuple[Callable[[], None], Losses]:
        """A function that repeats the `step`, and the losses that it leaves each time in the same memory. Recording changes
        nothing on the device; raises whatever the device does not let be recorded."""
        ...


class Gpu:
    """Records on a GPU, on a stream of its own: autograd ties what it keeps of a tensor to the stream of its first step, and a
    recorded step must not wait for another."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.works = device, True
        self.stream = torch.cuda.Stream(device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        usual = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(usual)
        try:
            with torch.cuda.stream(self.stream):
                yield
        finally:
            usual.wait_stream(self.stream)

    def record(self, step: Callable[[], Losses], random: torch.Generator) -> tuple[Callable[[], None], Losses]:
        graph, before = torch.cuda.CUDAGraph(), random.clone_state()
        graph.register_generator_state(random)
        try:
            # a recording that fails leaves its stream behind as the current one
            with torch.cuda.stream(self.stream), torch.cuda.graph(graph, stream=self.stream):
                losses = step()
        except BaseException:
            random.graphsafe_set_state(before)  # older versions of PyTorch draw nothing more from a state that was recorded
            raise
        return graph.replay, losses


@functools.cache
def _gpu(device: torch.device) -> Recorder:
    return Gpu(device)


def recorder_on(device: torch.device) -> Recorder | None:
    """What records steps on a `device`, if it can and may."""
    return _gpu(device) if device.type == "cuda" and os.environ.get(VARIABLE) == "1" else None


class Repeated(Generic[Kind]):
    """The `step` of a stage, which is recorded after some of a kind, and then repeated. Steps of a kind differ in nothing but the
    numbers in tensors that last as long as the stage.

    `state` gives what a step changes; `random` is what it draws from.
    """

    def __init__(self, step: Callable[[Kind], Losses], state: Callable[[], State], random: torch.Generator, recorder: Recorder) -> None:
        self._step, self._state, self._random, self._recorder = step, state, random, recorder
        self._kind: Kind | None = None
        self._taken = 0
        self._recorded: tuple[Callable[[], None], Losses] | None = None

    def __call__(self, kind: Kind) -> Losses:
        """Take a step, and return its losses []."""
        if kind != self._kind:
            self._kind, self._taken, self._recorded = kind, 0, None
        self._taken += 1
        if self._recorded is not None:
            replay, losses = self._recorded
            replay()
            # apart from the memory that the next step writes
            return dict(zip(losses, torch.stack(list(losses.values())).unbind(), strict=True))
        if self._taken <= _PLAIN or not self._recorder.works:
            return self._step(kind)
        return self._tried(kind)

    def _tried(self, kind: Kind) -> Losses:
        """A step as it is, which counts, and then the same recorded and repeated from where it began, which must come to the same.

        In this order the memory of the one is free before the other takes its own.
        """
        state, random = self._state(), self._random
        before, undrawn = _copied(state), random.get_state()
        losses = self._step(kind)
        after, drawn = _copied(state), random.get_state()
        try:
            recorded = replay, found = self._recorder.record(lambda: self._step(kind), random)
            _put(state, before)
            random.set_state(undrawn)
            replay()
            error = _worst_error(before, after, _copied(state), losses, found)
            reason = "" if error < _TOLERANCE else f"a recorded step is wrong by {error:.1e}"
            if not random.get_state().equal(drawn):
                reason = "a recorded step draws other random numbers"
        except Exception as caught:  # whatever drivers raise
            reason = (str(caught).strip() or type(caught).__name__).splitlines()[0]
        _put(state, after)
        random.set_state(drawn)
        if reason:
            self._recorder.works = False
            warnings.warn(Inv3dWarning(f"steps are not repeated as CUDA graphs: {reason}"), stacklevel=4)
        else:
            self._recorded = recorded
        return losses


def _copied(state: State) -> State:
    """The same on the host, as the device may have no memory for it."""
    return [[each.detach().to("cpu", copy=True) for each in alike] for alike in state]


@torch.no_grad()
def _put(state: State, values: State) -> None:
    """Make a `state` what it was when it was copied."""
    for alike, own in zip(state, values, strict=True):
        for each, value in zip(alike, own, strict=True):
            each.copy_(value)


def _worst_error(before: State, right: State, found: State, losses: Losses, of_found: Losses) -> float:
    """The largest of the relative errors of what a step has changed of alike tensors, and of losses; NaN if there are any."""

    def relative(some: Sequence[Tensor], others: Sequence[Tensor], since: Sequence[Tensor]) -> Tensor:
        off, moved = (torch.stack([(a - b).norm() for a, b in zip(some, each, strict=True)]).norm() for each in (others, since))
        return off / moved.clamp(min=1e-30)

    terms = torch.stack([torch.stack([one[name] for name in losses]) for one in (losses, of_found)]).cpu()
    errors = [relative([terms[0]], [terms[1]], [torch.zeros_like(terms[0])])]
    errors += [relative(*alike) for alike in zip(right, found, before, strict=True) if alike[0]]
    return float(torch.stack(errors).amax())
