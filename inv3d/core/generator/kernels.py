"""Triton kernels of the field: three planes sampled and their mean decoded; and the gradients of that. See `fused`.

Conventions: `planes` [M,3,S,S,C], so that the channels of a texel lie side by side; `places` [M,3,N,2] (x, y) in [-1,1],
which are the edges of the planes; `w1` [H,C], `b1` [H], `w2` [1+K,H], `b2` [1+K], where row 0 gives the raw density; all
float32 and contiguous. A row is one of the `total` = M N points, `count` is N, `side` S. `CHANNELS`, `HIDDEN` and `COLORS` are
C, H and K; `PADDED_...` the powers of two from 16 on that hold them. `of_...` is a gradient.
"""

from __future__ import annotations

import triton
import triton.language as tl

_compiled_once = triton.jit(do_not_specialize=["total", "count", "side"])
"""The kernels that a check has run are those that run after it, whatever the numbers."""


@triton.jit
def _place(places, code, point, count, side, known, plane: tl.constexpr):
    """Where rows lie on a plane, in texels."""
    at = places + ((code * 3 + plane) * count + point) * 2
    x = tl.load(at, mask=known, other=0.0)
    y = tl.load(at + 1, mask=known, other=0.0)
    return ((x + 1.0) * side - 1.0) * 0.5, ((y + 1.0) * side - 1.0) * 0.5


@triton.jit
def _corner(x, y, side, known, corner: tl.constexpr):
    """One of the four texels around places: whether it exists, its number in the plane, and its shares in x and y. A NaN has no
    texels, as in `grid_sample`."""
    column = tl.floor(x) + corner % 2
    row = tl.floor(y) + corner // 2
    inside = known & (column >= 0) & (column < side) & (row >= 0) & (row < side)
    # chosen before they become integers, where NaN and infinity have no meaning
    texel = tl.where(inside, row, 0.0).to(tl.int32) * side + tl.where(inside, column, 0.0).to(tl.int32)
    wide = tl.where(inside, 1.0 - tl.abs(x - column), 0.0)
    high = tl.where(inside, 1.0 - tl.abs(y - row), 0.0)
    return inside, texel, wide, high


@triton.jit
def _texels(code, texel, channel, side, plane: tl.constexpr, CHANNELS: tl.constexpr):
    """Offsets [rows,channels] in the planes; 64 bits, as planes of many codes have more than 2^31 numbers."""
    return ((code * 3 + plane) * side * side + texel)[:, None] * CHANNELS + channel[None, :]


@triton.jit
def _features(
    planes, places, code, point, count, side, known, channel, CHANNELS: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr
):
    """The mean of the three planes [rows,channels], bilinear, zero outside of them."""
    total = tl.zeros((ROWS, PADDED), tl.float32)
    for plane in tl.static_range(3):
        x, y = _place(places, code, point, count, side, known, plane)
        for corner in tl.static_range(4):
            inside, texel, wide, high = _corner(x, y, side, known, corner)
            at = planes + _texels(code, texel, channel, side, plane, CHANNELS)
            found = tl.load(at, mask=inside[:, None] & (channel < CHANNELS)[None, :], other=0.0)
            total += (wide * high)[:, None] * found
    return total * (1.0 / 3.0)


@triton.jit
def _vector(weights, column, COLUMNS: tl.constexpr):
    """Weights [columns], with zeros after them."""
    return tl.load(weights + column, mask=column < COLUMNS, other=0.0)


@triton.jit
def _matrix(weights, row, column, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Weights [rows,columns], with zeros around them."""
    inside = (row < ROWS)[:, None] & (column < COLUMNS)[None, :]
    return tl.load(weights + row[:, None] * COLUMNS + column[None, :], mask=inside, other=0.0)


@triton.jit
def _softplus(x):
    return tl.maximum(x, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(x)))


@_compiled_once
def forward(
    planes, places, w1, b1, w2, b2, sigma, color, total, count, side,
    CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, COLORS: tl.constexpr,
    PADDED_CHANNELS: tl.constexpr, PADDED_HIDDEN: tl.constexpr, PADDED_COLORS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Raw densities `sigma` [M,N] and colours `color` [M,N,K] of ROWS of `total` points for each program."""
    channel, unit, shade = tl.arange(0, PADDED_CHANNELS), tl.arange(0, PADDED_HIDDEN), tl.arange(0, PADDED_COLORS)
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    known = row < total
    code, point = row // count, row % count
    features = _features(planes, places, code, point, count, side, known, channel, CHANNELS, PADDED_CHANNELS, ROWS)
    first = _matrix(w1, unit, channel, HIDDEN, CHANNELS)
    hidden = _softplus(tl.dot(features, tl.trans(first), input_precision="ieee") + _vector(b1, unit, HIDDEN)[None, :])
    dense = _vector(w2, unit, HIDDEN)
    tl.store(sigma + row, tl.sum(hidden * dense[None, :], 1) + tl.load(b2), mask=known)
    colored = _matrix(w2 + HIDDEN, shade, unit, COLORS, HIDDEN)
    out = tl.dot(hidden, tl.trans(colored), input_precision="ieee") + _vector(b2 + 1, shade, COLORS)[None, :]
    at = color + row[:, None] * COLORS + shade[None, :]
    tl.store(at, tl.sigmoid(out) * 1.002 - 0.001, mask=known[:, None] & (shade < COLORS)[None, :])


@_compiled_once
def decoder_backward(
    planes, places, w1, b1, w2, of_sigma, of_color, color, of_features, of_w1, of_b1, of_w2, of_b2, total, count, side,
    CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, COLORS: tl.constexpr,
    PADDED_CHANNELS: tl.constexpr, PADDED_HIDDEN: tl.constexpr, PADDED_COLORS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Gradients of the features [M N,C] and of the weights from those of densities and colours.

    The colours are kept from `forward`, the rest is computed again. Programs take turns with blocks of ROWS points; each
    has sums of its own in `of_w1` [P,H,C], `of_b1` [P,H], `of_w2` [P,1+K,H] and `of_b2` [P,1+K].
    """
    channel, unit, shade = tl.arange(0, PADDED_CHANNELS), tl.arange(0, PADDED_HIDDEN), tl.arange(0, PADDED_COLORS)
    first, colored = _matrix(w1, unit, channel, HIDDEN, CHANNELS), _matrix(w2 + HIDDEN, shade, unit, COLORS, HIDDEN)
    sum_w1 = tl.zeros((PADDED_HIDDEN, PADDED_CHANNELS), tl.float32)
    sum_b1 = tl.zeros((PADDED_HIDDEN,), tl.float32)
    sum_dense = tl.zeros((PADDED_HIDDEN,), tl.float32)
    sum_colored = tl.zeros((PADDED_COLORS, PADDED_HIDDEN), tl.float32)
    sum_b2 = tl.zeros((PADDED_COLORS,), tl.float32)
    sum_sigma = tl.zeros((ROWS,), tl.float32)
    program = tl.program_id(0)
    for block in range(program, tl.cdiv(total, ROWS), tl.num_programs(0)):
        row = tl.cast(block, tl.int64) * ROWS + tl.arange(0, ROWS)
        known = row < total
        code, point = row // count, row % count
        features = _features(planes, places, code, point, count, side, known, channel, CHANNELS, PADDED_CHANNELS, ROWS)
        before = tl.dot(features, tl.trans(first), input_precision="ieee") + _vector(b1, unit, HIDDEN)[None, :]
        hidden = _softplus(before)
        shaded = known[:, None] & (shade < COLORS)[None, :]
        at = row[:, None] * COLORS + shade[None, :]
        share = (tl.load(color + at, mask=shaded, other=0.0) + 0.001) / 1.002
        of_out = tl.load(of_color + at, mask=shaded, other=0.0) * (1.002 * share * (1.0 - share))
        of_dense = tl.load(of_sigma + row, mask=known, other=0.0)
        of_hidden = tl.dot(of_out, colored, input_precision="ieee") + of_dense[:, None] * _vector(w2, unit, HIDDEN)[None, :]
        of_before = of_hidden * tl.sigmoid(before)
        at = of_features + row[:, None] * CHANNELS + channel[None, :]
        inside = known[:, None] & (channel < CHANNELS)[None, :]
        tl.store(at, tl.dot(of_before, first, input_precision="ieee"), mask=inside)
        sum_colored += tl.dot(tl.trans(of_out), hidden, input_precision="ieee")
        sum_dense += tl.sum(of_dense[:, None] * hidden, 0)
        sum_sigma += of_dense
        sum_b2 += tl.sum(of_out, 0)
        sum_w1 += tl.dot(tl.trans(of_before), features, input_precision="ieee")
        sum_b1 += tl.sum(of_before, 0)
    inside = (unit < HIDDEN)[:, None] & (channel < CHANNELS)[None, :]
    tl.store(of_w1 + (program * HIDDEN + unit)[:, None] * CHANNELS + channel[None, :], sum_w1, mask=inside)
    tl.store(of_b1 + program * HIDDEN + unit, sum_b1, mask=unit < HIDDEN)
    row = program * (COLORS + 1)
    tl.store(of_w2 + row * HIDDEN + unit, sum_dense, mask=unit < HIDDEN)
    inside = (shade < COLORS)[:, None] & (unit < HIDDEN)[None, :]
    tl.store(of_w2 + (row + 1 + shade)[:, None] * HIDDEN + unit[None, :], sum_colored, mask=inside)
    tl.store(of_b2 + row, tl.sum(sum_sigma, 0))
    tl.store(of_b2 + row + 1 + shade, sum_b2, mask=shade < COLORS)


@_compiled_once
def planes_backward(
    planes, places, of_features, of_planes, of_places, total, count, side,
    CHANNELS: tl.constexpr, PADDED_CHANNELS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Gradients of places, and of planes, which are added to `of_planes` in any order, from those of the features."""
    channel = tl.arange(0, PADDED_CHANNELS)
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    known = row < total
    code, point = row // count, row % count
    inside = known[:, None] & (channel < CHANNELS)[None, :]
    gradient = tl.load(of_features + row[:, None] * CHANNELS + channel[None, :], mask=inside, other=0.0) * (1.0 / 3.0)
    for plane in tl.static_range(3):
        x, y = _place(places, code, point, count, side, known, plane)
        of_x = tl.zeros((ROWS,), tl.float32)
        of_y = tl.zeros((ROWS,), tl.float32)
        for corner in tl.static_range(4):
            inside, texel, wide, high = _corner(x, y, side, known, corner)
            offset = _texels(code, texel, channel, side, plane, CHANNELS)
            there = inside[:, None] & (channel < CHANNELS)[None, :]
            slope = tl.sum(tl.load(planes + offset, mask=there, other=0.0) * gradient, 1)
            of_x += slope * high * (2 * (corner % 2) - 1)
            of_y += slope * wide * (2 * (corner // 2) - 1)
            tl.atomic_add(of_planes + offset, (wide * high)[:, None] * gradient, mask=there, sem="relaxed")
        at = of_places + ((code * 3 + plane) * count + point) * 2
        tl.store(at, of_x * side * 0.5, mask=known)
        tl.store(at + 1, of_y * side * 0.5, mask=known)
