"""Decoded frames to RGB as a screen shows it: matrices, ranges, transparency, high dynamic range.

Colours are those of sRGB: SDR video passes with its own gamma, as players show it; HLG and PQ are made linear, brought
to the range of SDR by the tone curve of ITU-R BT.2390 and converted from the wide primaries. Luminances are relative
to diffuse white, which ITU-R BT.2408 places at 203 cd/m².
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

BEHIND = 127
"""Grey level behind transparent pixels."""
_PQ, _HLG = 16, 18
_BT2020, _P3 = 9, 12
_UNKNOWN, _BT709, _BT601 = 2, 1, 5
_WHITE = 203.0  # cd/m²
_PEAK = 1000.0 / _WHITE
"""Peak luminance of HDR video; anything brighter is clipped to it."""
_UNREAD = {
    8: "YCgCo", 10: "BT.2020 of constant luminance", 11: "YDzDx", 12: "YCbCr derived from their primaries",
    13: "YCbCr derived from their primaries", 14: "ICtCp", 15: "IPT-PQ-C2", 16: "YCgCo-R", 17: "YCgCo-R",
}  # fmt: skip
"""Matrices (ITU-T H.273, table 4) that libswscale does not know."""
Array = NDArray[np.float32]
_TO_SRGB = {
    _BT2020: [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    _P3: [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
}
"""Linear light of wide primaries to that of sRGB (ITU-R BT.2087; Display P3)."""


class UnreadColours(Exception):
    """Colours whose matrix, of this name, cannot be converted."""


class Converter:
    """Converts the frames of one clip; colour properties that they lack are taken from the container."""

    def __init__(self, declared: VideoCodecContext) -> None:
        self._reformatter = VideoReformatter()
        self._declared = (declared.color_trc, declared.color_primaries, declared.colorspace)

    def rgb(self, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """[height,width,3] in full range, transparent pixels over grey. Raises UnreadColours, FFmpegError, ValueError."""
        told = (frame.color_trc, frame.color_primaries, frame.colorspace)
        transfer, primaries, matrix = (
            own if own != _UNKNOWN else declared for own, declared in zip(told, self._declared, strict=True)
        )
        if matrix == _UNKNOWN:
            # like players: anything larger than a DVD counts as HD
            matrix = _BT709 if frame.width >= 1280 or frame.height > 576 else _BT601
        if beyond_srgb(transfer, primaries):
            image = to_srgb(self._convert(frame, matrix, width, height, "rgb48le"), transfer, primaries)
        else:
            image = self._convert(frame, matrix, width, height, "rgb24")
        if frame.format.has_palette or any(component.is_alpha for component in frame.format.components):
            alpha = self._convert(frame, matrix, width, height, "rgba")[..., 3:].astype(np.float32) / 255.0
            image = (alpha * image + (1.0 - alpha) * BEHIND + 0.5).astype(np.uint8)
        return image

    def _convert(self, frame: VideoFrame, matrix: int, width: int, height: int, pixels: str) -> NDArray[Any]:
        full = frame.color_range == ColorRange.JPEG
        try:
            return self._reformatter.reformat(
                frame, width, height, pixels, src_colorspace=matrix, dst_colorspace=matrix,
                interpolation=Interpolation.AREA, src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
            ).to_ndarray()  # fmt: skip
        except FFmpegError as error:
            if matrix in _UNREAD:
                raise UnreadColours(_UNREAD[matrix]) from error
            raise


def beyond_srgb(transfer: int, primaries: int) -> bool:
    """Whether colours of this transfer function and these primaries (ITU-T H.273) need `to_srgb`."""
    return transfer in (_PQ, _HLG) or primaries in _TO_SRGB


def to_srgb(image: NDArray[np.uint16], transfer: int, primaries: int) -> NDArray[np.uint8]:
    """HDR or wide-gamut RGB [H,W,3], 16 bits in full range, as sRGB in 8 bits."""
    light = _linear(transfer)[image]
    if transfer == _HLG:
        # the opto-optical transfer function of a display of 1000 cd/m² (ITU-R BT.2100, table 5)
        scene = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light *= (_PEAK * np.maximum(scene, 1e-6) ** 0.2)[..., None]
    if transfer in (_PQ, _HLG):
        # the largest of the three channels decides, so that hues are kept
        brightest = np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])
        light *= _tone_gain()[_gain_index(brightest)][..., None]
        primaries = primaries if primaries in _TO_SRGB else _BT2020
    light = light @ np.array(_TO_SRGB[primaries], np.float32).T
    return _encoded()[(light.clip(0.0, 1.0) * 65535.0 + 0.5).astype(np.uint16)]


@functools.cache
def _linear(transfer: int) -> Array:
    """Light of every 16-bit value: relative to diffuse white, for HLG to the brightest of the scene."""
    v = np.linspace(0.0, 1.0, 65536)
    if transfer == _PQ:
        light = _pq_light(v)
    elif transfer == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(v <= 0.5, v**2 / 3.0, (np.exp((v - c) / a) + b) / 12.0)
    else:
        light = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@functools.cache
def _encoded() -> NDArray[np.uint8]:
    """The 8-bit sRGB value of linear light in 16 bits (IEC 61966-2-1)."""
    v = np.linspace(0.0, 1.0, 65536)
    return (np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055) * 255.0 + 0.5).astype(np.uint8)


_GAINS = 16384


def _gain_index(light: Array) -> NDArray[np.intp]:
    """Where `_tone_gain` holds the gain of light: evenly by its fourth root."""
    return (np.sqrt(np.sqrt(light.clip(0.0, _PEAK) / _PEAK)) * (_GAINS - 1)).astype(np.intp)


@functools.cache
def _tone_gain() -> Array:
    """The gain of ITU-R BT.2390's tone curve from the peak to diffuse white: 1 up to a knee, then falling."""
    light = np.linspace(1 / _GAINS, 1.0, _GAINS) ** 4 * _PEAK
    peak = float(_pq_value(np.array(_PEAK)))
    value, most = _pq_value(light) / peak, float(_pq_value(np.array(1.0))) / peak
    knee = 1.5 * most - 0.5
    t = np.clip((value - knee) / (1.0 - knee), 0.0, 1.0)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return (_pq_light(np.where(value < knee, value, bent) * peak) / light).astype(np.float32)


_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128


def _pq_light(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light relative to diffuse white of a value of the perceptual quantiser (SMPTE ST 2084)."""
    power = value ** (1 / _M2)
    return (np.maximum(power - _C1, 0.0) / (_C2 - _C3 * power)) ** (1 / _M1) * (10_000.0 / _WHITE)


def _pq_value(light: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (light * _WHITE / 10_000.0) ** _M1
    return ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2
