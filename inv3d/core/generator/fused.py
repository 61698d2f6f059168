"""The field of a plain tri-plane decoder in kernels of its own: features of planes are sampled and decoded without being kept.

`plainly_decoded` says what is computed; on GPUs with Triton (PyTorch for Linux comes with it), `decode_on` gives a twin of it
that does the same in one kernel forward and two backward: these sample and decode once more, so that neither features nor
hidden values are ever stored. Gradients reach planes, places, and the decoder's weights; those of planes are added up in any
order, so that the twin steps back where sums must have an order (see `repeatable`).
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from inv3d.core.errors import Inv3dWarning
from inv3d.core.generator.config import DecoderConfig, GeneratorConfig
from inv3d.core.generator.field import Decode, Decoder, plainly_decoded
from inv3d.core.generator.layers import FullyConnected

_WIDEST = 64
"""Of the decoder's layers: registers hold the values of `_ROWS` points in all of them."""
_ROWS = 32  # points that a program computes at a time
_DECODING = {"num_warps": 8, "num_stages": 1}
"""With more points, fewer warps or loads in advance the compiler runs out of registers, or of shared memory."""
_PROGRAMS = 512
"""That take turns with the points, where each has sums of weights' gradients of its own."""
_CHECKED = 20_011
"""Points of each of two codes in the check: programs have several turns, the last of them incomplete."""
_TOLERANCE = 1e-4
"""Relative error. That of one wrong row of a check's 40,022 would be fifty times as large; twins differ by about 1e-6."""


def decode_on(device: torch.device, decoder: Decoder) -> Decode:
    """What samples planes and decodes them on a `device`: `plainly_decoded`, or its twin in kernels on GPUs where it computes
    the same. A GPU where that fails is told of once, in a warning."""
    first, last = _layers(decoder)
    hidden, channels = first.weight.shape
    colors = len(last.weight) - 1
    plain = decoder.skip is None and decoder.film is None and max(channels, hidden, colors) <= _WIDEST
    if device.type != "cuda" or torch.are_deterministic_algorithms_enabled() or not plain:
        return plainly_decoded
    return decoded_at_once if _computes_the_same(device, channels, hidden, colors) else plainly_decoded


def decoded_at_once(planes: Tensor, uv: Tensor, decoder: Decoder) -> tuple[Tensor, Tensor]:
    """As `plainly_decoded`, in kernels where planes are on a GPU, all is in float32, and sums may have any order. Once
    differentiable."""
    exact = planes.dtype == uv.dtype == torch.float32 and not torch.is_autocast_enabled("cuda")
    if not planes.is_cuda or torch.are_deterministic_algorithms_enabled() or not exact:
        return plainly_decoded(planes, uv, decoder)
    return _by_kernels(planes, uv, decoder)


def _layers(decoder: Decoder) -> tuple[FullyConnected, FullyConnected]:
    return cast(FullyConnected, decoder.net[0]), cast(FullyConnected, decoder.net[2])


def _by_kernels(planes: Tensor, uv: Tensor, decoder: Decoder) -> tuple[Tensor, Tensor]:
    first, last = _layers(decoder)
    texels = planes.permute(0, 1, 3, 4, 2).contiguous()
    return cast(tuple[Tensor, Tensor], _Decode.apply(texels, uv.contiguous(), *first.scaled(), *last.scaled()))


class _Decode(torch.autograd.Function):
    """Raw density [M,N] and colours [M,N,K] from planes [M,3,S,S,C], places [M,3,N,2] and weights (see `kernels`)."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        from inv3d.core.generator import kernels

        planes, places, w1, b1, w2, b2 = inputs
        codes, _, points, _ = places.shape
        sigma, color = planes.new_empty(codes, points), planes.new_empty(codes, points, len(w2) - 1)
        blocks = math.ceil(codes * points / _ROWS)
        with torch.cuda.device_of(planes):
            kernels.forward[blocks,](
                planes, places, w1, b1, w2, b2, sigma, color, codes * points, points, planes.shape[2],
                **_sizes(w1, w2), **_DECODING,
            )  # fmt: skip
        ctx.save_for_backward(*inputs, color)
        return sigma, color

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_outputs: Tensor) -> tuple[Tensor, ...]:
        from inv3d.core.generator import kernels

        planes, places, w1, b1, w2, b2, color = ctx.saved_tensors
        of_sigma, of_color = (each.contiguous() for each in of_outputs)
        codes, points, _ = color.shape
        blocks = math.ceil(codes * points / _ROWS)
        programs = min(blocks, _PROGRAMS)
        of_features = planes.new_empty(codes * points, planes.shape[-1])
        of_weights = [planes.new_empty(programs, *each.shape) for each in (w1, b1, w2, b2)]
        of_planes, of_places = torch.zeros_like(planes), torch.empty_like(places)
        counts, sizes = (codes * points, points, planes.shape[2]), _sizes(w1, w2)
        with torch.cuda.device_of(planes):
            kernels.decoder_backward[programs,](
                planes, places, w1, b1, w2, of_sigma, of_color, color, of_features, *of_weights, *counts, **sizes, **_DECODING
            )
            few = {name: sizes[name] for name in ("CHANNELS", "PADDED_CHANNELS", "ROWS")}
            kernels.planes_backward[blocks,](planes, places, of_features, of_planes, of_places, *counts, **few)
        return of_planes, of_places, *(each.sum(0) for each in of_weights)


def _sizes(w1: Tensor, w2: Tensor) -> dict[str, int]:
    """What the kernels are compiled for."""
    sizes = {"CHANNELS": w1.shape[1], "HIDDEN": w1.shape[0], "COLORS": w2.shape[0] - 1}
    # products of matrices need 16 or more
    padded = {f"PADDED_{name}": max(16, 1 << (size - 1).bit_length()) for name, size in sizes.items()}
    return {**sizes, **padded, "ROWS": _ROWS}


@functools.cache
def _computes_the_same(device: torch.device, channels: int, hidden: int, colors: int) -> bool:
    """Whether the kernels agree with `plainly_decoded` on a device; otherwise a warning says why not."""
    try:
        errors = _errors(device, channels, hidden, colors)
        worst = max(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])
        reason = "" if errors[worst] < _TOLERANCE else f"its {worst} is wrong by {errors[worst]:.1e}"
    except Exception as error:  # whatever compilers and drivers raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if reason:
        warnings.warn(Inv3dWarning(f"the fused kernel of the field is not used on {device}: {reason}"), stacklevel=3)
    return not reason


def _errors(device: torch.device, channels: int, hidden: int, colors: int) -> dict[str, float]:
    """Errors of a small fixed problem's results and gradients, relative to the size of what `plainly_decoded` gives."""
    side = 20
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        decoder = Decoder(channels, GeneratorConfig(color_channels=colors, decoder=DecoderConfig(hidden))).to(device)
        for layer in _layers(decoder):
            layer.bias.data = torch.randn(len(layer.bias)).to(device)
        # inside texels, where rounding changes nothing about which texels are near, and beyond the edges
        texels = torch.randint(-2, side + 1, (2, 3, _CHECKED, 2)) + 0.05 + 0.9 * torch.rand(2, 3, _CHECKED, 2)
        inputs = {
            "planes": torch.randn(2, 3, channels, side, side).to(device).requires_grad_(),
            "places": ((2.0 * texels + 1.0) / side - 1.0).to(device).requires_grad_(),
            **dict(decoder.named_parameters()),
        }
        back = [torch.randn(2, _CHECKED).to(device), torch.randn(2, _CHECKED, colors).to(device)]

        def results(decode: Decode) -> Sequence[Tensor]:
            made = decode(inputs["planes"], inputs["places"], decoder)
            return *made, *torch.autograd.grad(made, list(inputs.values()), back)

        names = ("density", "color", *(f"gradient of {name}" for name in inputs))
        pairs = zip(results(plainly_decoded), results(_by_kernels), strict=True)
        errors = torch.stack([(found - right).norm() / right.norm() for right, found in pairs])
    return dict(zip(names, errors.tolist(), strict=True))
