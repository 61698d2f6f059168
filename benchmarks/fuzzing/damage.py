"""Damage that several kinds share: to bytes, to JSON, to safetensors files, to the files of a folder."""

from __future__ import annotations

import copy
import json
import math
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Random = np.random.Generator

_NUMBERS: list[Any] = [
    0, 1, -1, 2, 3, 7, 255, 4096, 65536, 2**31 - 1, 2**31, 2**63, 10**12, 10**30, 10**400, 0.0, 0.5, -0.5, 1e-300, 1e30, 1e308, math.nan, math.inf, -math.inf,
]  # fmt: skip
_OTHERS: list[Any] = [
    None, True, False, "", "x", "demo", "../demo", "\x1b[31m\n", "x" * 10_000, "NaN", "12", [], [[]], [1, 2, 3], {}, {"a": 1}, [None] * 1000, "\u0000",
]  # fmt: skip


def pick(random: Random, values: list[Any]) -> Any:
    return values[int(random.integers(len(values)))]


def damaged_bytes(random: Random, data: bytes) -> bytes:
    """Some bytes changed, cut, doubled, filled, swapped or put in; never the same as before for long."""
    raw = bytearray(data)
    for _ in range(int(random.integers(1, 5))):
        size = len(raw)
        if not size:
            return bytes(random.bytes(int(random.integers(64))))
        # most of what steers a reader stands at the beginning
        reach = size if random.random() < 0.5 else min(size, 256)
        at = int(random.integers(reach))
        length = min(int(2 ** random.uniform(0, 12)), size - at)
        match int(random.integers(8)):
            case 0:
                raw[at] ^= 1 << int(random.integers(8))
            case 1:
                raw[at : at + length] = random.bytes(length)
            case 2:
                del raw[at:]
            case 3:
                del raw[at : at + length]
            case 4:
                raw[at:at] = raw[at : at + length]
            case 5:
                raw[at : at + length] = bytes([pick(random, [0, 255])]) * length
            case 6:
                raw[at : at + 4] = struct.pack(pick(random, ["<I", ">I"]), pick(random, [0, 1, 2**31 - 1, 2**32 - 1]))
            case 7:
                other = int(random.integers(size))
                raw[at : at + length], raw[other : other + length] = raw[other : other + length], raw[at : at + length]
    return bytes(raw)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to everything in plain data, but to itself."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, part in inside for way in ((*path, key), *_paths(part, (*path, key)))]


def damaged_data(random: Random, data: Any) -> Any:
    """Plain data with some fields lost, added, renamed, or of other types, signs and sizes."""
    data = json.loads(json.dumps(data))
    for _ in range(int(random.integers(1, 4))):
        ways = _paths(data)
        if not ways:
            return copy.deepcopy(pick(random, _OTHERS + _NUMBERS))
        way = pick(random, ways)
        place = data
        for key in way[:-1]:
            place = place[key]
        key = way[-1]
        value = place[key]
        match int(random.integers(8)):
            case 0:
                del place[key]
            case 1 | 2:
                place[key] = pick(random, _NUMBERS)
            case 3:
                place[key] = copy.deepcopy(pick(random, _OTHERS))
            case 4 if isinstance(place, dict):
                place[pick(random, ["extra", str(key) + "_", "", "\x1b[2J", "format"])] = place.pop(key)
            case 5:
                if isinstance(value, bool) or not isinstance(value, int | float):
                    place[key] = [value]
                else:
                    place[key] = pick(
                        random, [-value, value * 2, value // 3, str(value), value + 1, [value], value * 10**6]
                    )
            case 6 if isinstance(value, list):
                place[key] = copy.deepcopy(value * int(random.integers(2, 4))) if random.random() < 0.5 else value[:-1]
            case 7 if isinstance(place, dict):
                place[key] = copy.deepcopy(pick(random, list(place.values())))
    return data


def damaged_json(random: Random, data: Any) -> bytes:
    """A JSON file of damaged data, or of something else altogether."""
    roll = random.random()
    if roll < 0.75:
        return json.dumps(damaged_data(random, data)).encode()
    if roll < 0.9:
        return damaged_bytes(random, json.dumps(data, indent=2).encode())
    deep = int(random.integers(1, 100_000))
    strange: list[bytes] = [
        b"[" * deep, b'{"a":' * deep, b"[" * deep + b"]" * deep, b"", b"null", b"3", b"-" * deep, b'"' + b"x" * deep + b'"',
        b"9" * deep, b"\xff\xfe" + json.dumps(data).encode("utf-16le"), b"\xef\xbb\xbf" + json.dumps(data).encode(),
        json.dumps([data]).encode(), b"[" + b"[]," * deep + b"[]]", b"<html>", b"version https://git-lfs.github.com/spec/v1\n",
    ]  # fmt: skip
    return bytes(pick(random, strange))


def damaged_safetensors(random: Random, data: bytes) -> bytes:
    """A safetensors file with a damaged header, damaged bytes, or numbers that are none."""
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    tensors = [name for name in header if name != "__metadata__"]
    roll = random.random()
    if roll < 0.2:
        return damaged_bytes(random, data)
    if roll < 0.4 and tensors and body:
        # values: NaN, infinities, huge numbers or noise in one tensor
        low, high = header[pick(random, tensors)]["data_offsets"]
        if high > low:
            fill = pick(random, [b"\xff", b"\x7c", b"\x7f", b"\x80", b"\x00", random.bytes(64)])
            at = int(random.integers(low, high)) if random.random() < 0.5 else low
            body[at:high] = (fill * (high - at))[: high - at]
        text = json.dumps(header).encode()
    elif roll < 0.5:
        return struct.pack("<Q", pick(random, [0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1])) + data[8:]
    elif roll < 0.9 and tensors:
        for _ in range(int(random.integers(1, 3))):
            _damage_tensor(random, header, pick(random, tensors))
            tensors = [name for name in header if name != "__metadata__"] or ["none"]
        text = json.dumps(header).encode()
    else:
        text = damaged_json(random, header)
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _damage_tensor(random: Random, header: dict[str, Any], name: str) -> None:
    """Another name, shape, type or place of a tensor; sizes still fit where that is possible."""
    entry = header.get(name)
    if not isinstance(entry, dict) or "shape" not in entry:
        return
    count = math.prod(entry["shape"])
    match int(random.integers(7)):
        case 0:
            header.pop(name)
        case 1:
            header[pick(random, [name + "x", name.upper(), "", "a\nb", "../x", "x" * 5000])] = header.pop(name)
        case 2:
            shapes = [
                [count],
                [1, *entry["shape"]],
                [*entry["shape"], 1],
                entry["shape"][::-1],
                [count, 1, 1],
                [0],
                [],
                [2**40],
                [-1],
            ]
            entry["shape"] = pick(random, shapes)
        case 3:
            # types of the same width keep the file sound
            same = {"F16": ["BF16", "I16", "U16"], "F32": ["I32", "U32"], "F64": ["I64"], "I64": ["F64"]}
            others = ["F64", "F8_E4M3", "BOOL", "U8", "X", 3]
            entry["dtype"] = pick(random, same.get(entry["dtype"], []) * 2 + others)
        case 4:
            low, high = entry["data_offsets"]
            entry["data_offsets"] = pick(
                random, [[high, low], [low, low], [0, high], [low, 2**63], [-1, high], [low, high + 8]]
            )
        case 5:
            other = pick(random, list(header))
            header[name], header[other] = header[other], header[name]
        case 6:
            header["extra"] = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


def damaged_folder(random: Random, folder: Path, damage: Mapping[str, Callable[[Random, bytes], bytes]]) -> None:
    """Damage one or two of the files named in `damage` by their functions, or do away with them."""
    names = sorted(damage)
    sound = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    for name in random.permutation(names)[: 1 if random.random() < 0.8 else 2].tolist():
        path = folder / name
        path.unlink(missing_ok=True)
        if random.random() < 0.88 and name in sound:
            path.write_bytes(damage[name](random, sound[name]))
            continue
        match int(random.integers(6)):
            case 0:
                pass
            case 1:
                path.mkdir()
            case 2:
                path.symlink_to(folder / "nowhere")
            case 3:
                path.symlink_to(path.name)
            case 4:
                os.mkfifo(path)
            case 5:
                path.write_bytes(pick(random, list(sound.values())))
