"""A device that is not there: CPU tensors with a label, to find what a GPU would refuse, and what it would wait for.

Labels are those of storages, so views and in-place results have them too, in forward and backward passes alike. Two modes
of torch keep them: one sees calls from Python, where devices are named and asked for; the other sees every kernel.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.optim.optimizer import Optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

DEVICE, HOST = torch.device("cuda", 0), torch.device("cpu")
_SOURCE = str(Path(__file__).parents[1] / "inv3d")
aten = torch.ops.aten
_READS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.equal.default}
_WITHOUT_ORDER = {
    aten.grid_sampler_2d_backward.default, aten.grid_sampler_3d_backward.default, aten.upsample_bilinear2d_backward.default,
    aten._upsample_bilinear2d_aa_backward.default, aten.upsample_bicubic2d_backward.default,
    aten._upsample_bicubic2d_aa_backward.default, aten._adaptive_avg_pool2d_backward.default,
    aten.adaptive_max_pool2d_backward.default, aten.avg_pool3d_backward.default, aten.max_pool3d_with_indices_backward.default,
    aten.reflection_pad1d_backward.default, aten.median.dim, aten.kthvalue.default, aten.histc.default,
}  # fmt: skip
"""Kernels that `torch.use_deterministic_algorithms` refuses on CUDA."""
_OWN_SCALARS = {aten.cat.default, aten.stack.default}  # these take no number from the host
_DEVICE_OF = {
    torch.Tensor.device.__get__: lambda device: device,
    torch.Tensor.is_cuda.__get__: lambda device: device.type == "cuda",  # type: ignore[attr-defined]
    torch.Tensor.is_cpu.__get__: lambda device: device.type == "cpu",  # type: ignore[attr-defined]
}
_FROM_PYTHON = {torch.tensor, torch.as_tensor, torch.Tensor.new_tensor}
_REAL_GENERATOR = torch.Generator


class DevicesMixedError(RuntimeError):
    """What a GPU would refuse: tensors, or a source of randomness, of different devices in one call."""


class _Random(torch.Generator):
    """A source of randomness that says which device it belongs to."""

    home: torch.device

    def __new__(cls, device: torch.device | str = HOST) -> _Random:
        made: _Random = super().__new__(cls, HOST)  # type: ignore[call-arg]  # as it is in C
        made.home = torch.device(device)
        return made

    def __init__(self, device: torch.device | str = HOST) -> None:
        pass

    @property
    def device(self) -> torch.device:  # type: ignore[override]  # nobody can set that of torch
        return self.home


class _Labels:
    """Which storages are the device's (True) or nobody's yet (None); all others are the host's."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[StorageWeakRef, bool | None]] = {}

    def get(self, tensor: Tensor) -> bool | None:
        storage = tensor.untyped_storage()
        found = self._of.get(storage._cdata)
        return False if found is None else found[1]

    def set(self, tensor: Tensor, label: bool | None) -> None:
        storage = tensor.untyped_storage()
        if label is False:
            self._of.pop(storage._cdata, None)
        else:
            # the weak reference keeps the address from being given to another storage
            self._of[storage._cdata] = (StorageWeakRef(storage), label)
        if len(self._of) > 50_000:
            self._of = {key: pair for key, pair in self._of.items() if not pair[0].expired()}


class _Kernels(TorchDispatchMode):
    """Sees every kernel: refuses mixed tensors, labels what is made, notes what the host waits for."""

    def __init__(self, pretended: Pretended) -> None:
        super().__init__()
        self.pretended, self.labels = pretended, pretended.labels
        self.made: bool | None = False
        """The label of what is made of nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        labels = self._labels(func, tensors)
        if {True, False} <= labels:
            if func is aten.copy_.default:
                self.pretended.note("copy")
            elif (func is aten.index.Tensor and self.labels.get(args[0])) or func is aten.index_put_.default:
                self.pretended.note("index from the host")
            else:
                shapes = [(tuple(each.shape), "device" if self.labels.get(each) else "host") for each in tensors]
                raise DevicesMixedError(f"{func} of {shapes}")
        if True in labels:
            if func in _WITHOUT_ORDER and torch.are_deterministic_algorithms_enabled():
                raise RuntimeError(f"{func.overloadpacket.__name__}_cuda does not have a deterministic implementation, but you set ...")
            bools = func is aten.index.Tensor and any(i is not None and i.dtype == torch.bool for i in args[1])
            if func in _READS or bools:
                self.pretended.note(func.overloadpacket.__name__)
        result = func(*args, **kwargs)
        if func is not aten.copy_.default:
            label = True if True in labels else None if None in labels else False
            if not tensors:
                label = None if torch._C._current_autograd_node() is not None else self.made
            for each in tree_leaves(result):
                if isinstance(each, Tensor):
                    self.labels.set(each, label)
        return result

    def _labels(self, func: Any, tensors: list[Tensor]) -> set[bool | None]:
        found = {self.labels.get(each) for each in tensors if each.dim()}
        numbers = {self.labels.get(each) for each in tensors if not each.dim()}
        if True in found and func not in _OWN_SCALARS:
            numbers.discard(False)  # kernels take a number of the host along
        return found | numbers


class _Transfer(torch.autograd.Function):
    """A copy on the other device."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pretended: Pretended) -> Tensor:
        ctx.pretended = pretended
        return pretended.moved(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.pretended.moved(gradients[0]), None


class _Calls(TorchFunctionMode):
    """Sees calls from Python: devices that are named or asked for, transfers, and reading without a kernel."""

    def __init__(self, pretended: Pretended) -> None:
        super().__init__()
        self.pretended, self.labels = pretended, pretended.labels

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        labels = self.labels
        if func in _DEVICE_OF:
            return _DEVICE_OF[func](DEVICE if labels.get(args[0]) else HOST)
        if func in (torch.Tensor.numpy, torch.Tensor.__array__) and labels.get(args[0]):
            raise DevicesMixedError("numpy reads no tensor of the device")
        if func is torch.Tensor.tolist and labels.get(args[0]):
            self.pretended.note("tolist")
        if func is torch.Tensor.__deepcopy__:
            with _disable_current_modes():  # it copies the storage, not the tensor
                made = func(*args, **kwargs)
            labels.set(made, labels.get(args[0]))
            return made
        if func in (torch.Tensor.cpu, torch.Tensor.cuda):
            return self._to(args[0], HOST if func is torch.Tensor.cpu else DEVICE)
        if func is torch.Tensor.to:
            return self._moved_to(args, kwargs)
        return self._call(func, args, kwargs)

    def _call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A call that may name a device and a source of randomness."""
        named = kwargs.get("device")
        if named is not None:
            kwargs["device"] = HOST
        own = next((self.labels.get(each) for each in args if isinstance(each, Tensor)), False)
        target = own if named is None else torch.device(named).type != "cpu"
        random = kwargs.get("generator")
        if isinstance(random, _Random) and (random.device.type != "cpu") != target:
            raise DevicesMixedError(f"{func.__name__} on another device than its generator")
        if func in _FROM_PYTHON and target:
            self.pretended.note("tensor from Python")
        kernels = self.pretended.kernels
        before, kernels.made = kernels.made, target if named is not None else False
        try:
            made = func(*args, **kwargs)
        finally:
            kernels.made = before
        if named is not None or func is torch.Tensor.new_tensor:
            tree_map(lambda each: self.labels.set(each, target) if isinstance(each, Tensor) else None, made)
        return made

    def _moved_to(self, args: Any, kwargs: Any) -> Any:
        tensor, *rest = args
        other = next((each for each in rest if isinstance(each, Tensor)), None)
        if other is not None:
            return self._to(tensor, DEVICE if self.labels.get(other) else HOST).to(other.dtype)
        device = kwargs.pop("device", None)
        left = []
        for each in rest:
            if isinstance(each, (torch.device, str)):
                device = each
            elif each is not None and not isinstance(each, bool):
                left.append(each)
        kwargs = {name: value for name, value in kwargs.items() if name == "dtype" and value is not None}
        moved = tensor if device is None else self._to(tensor, torch.device(device))
        return torch.Tensor.to(moved, *left, **kwargs) if left or kwargs else moved

    def _to(self, tensor: Tensor, device: torch.device) -> Tensor:
        if (device.type != "cpu") == bool(self.labels.get(tensor)):
            return tensor
        made: Tensor = _Transfer.apply(tensor, self.pretended)
        return made


class Pretended:
    """What happened on the pretended device: `waits` counts, by kind and place, what the host waits for."""

    def __init__(self) -> None:
        self.labels = _Labels()
        self.kernels = _Kernels(self)
        self.waits: Counter[str] = Counter()

    def note(self, kind: str) -> None:
        for frame in reversed(traceback.extract_stack(sys._getframe(1))):
            if frame.filename.startswith(_SOURCE):
                self.waits[f"{kind}: {Path(frame.filename).name}:{frame.lineno} {frame.line}"] += 1
                return
        self.waits[f"{kind}: elsewhere"] += 1

    def moved(self, tensor: Tensor) -> Tensor:
        """A copy on the other device."""
        target = not self.labels.get(tensor)
        self.note("to the device" if target else "to the host")
        made = tensor.detach().clone()
        self.labels.set(made, target)
        return made


def _grouped(labels: _Labels) -> Any:
    """How optimisers sort tensors by device, which is asked for where no mode sees it."""
    own = Optimizer._group_tensors_by_device_and_dtype

    def grouped(tensors: Any, with_indices: bool = False) -> Any:
        found: Any = own(tensors, with_indices)
        return {(DEVICE if labels.get(pair[0][0][0]) else device, kind): pair for (device, kind), pair in found.items()}

    return grouped


@contextmanager
def pretended() -> Iterator[Pretended]:
    """The time during which `DEVICE` is there."""
    made = Pretended()
    with (
        mock.patch.object(torch, "Generator", _Random), warnings.catch_warnings(), _Calls(made), made.kernels,
        mock.patch.object(Optimizer, "_group_tensors_by_device_and_dtype", staticmethod(_grouped(made.labels))),
    ):  # fmt: skip
        for told in ("User provided device_type of 'cuda'", "CUDA is not available"):
            warnings.filterwarnings("ignore", told)
        yield made


@contextmanager
def ordered() -> Iterator[None]:
    """The time during which kernels without an order are refused."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
