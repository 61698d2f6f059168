"""Parsers of option values, one for each kind: names, numbers, lists of numbers, paths, devices.

Every value is checked while the command line is parsed, before any work starts. An invalid or out-of-range value ends
the command with exit code 2.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

LARGEST_SEED = (1 << 63) - 1
MOST_ANGLES = 360
MOST_SEEDS = 10_000
MOST_LEVELS = 6
_LONGEST_NAME = 255  # bytes, on every common file system
_SHOWN = 60  # characters of an invalid value that the message quotes


class Refused(typer.BadParameter):
    """An invalid value. The message continues the option's name: "--seed" "-1 is not ..."."""


def _refuse(value: object, should: str) -> Refused:
    text = str(value)
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    if not shown or any(sign.isspace() for sign in shown):
        shown = f"'{shown}'"
    return Refused(f"{shown} is not {should}")


def background(text: str) -> str:
    """What is shown behind a head, in words (see `Background.parse`). Raises Refused."""
    if text != "keep":  # the default needs no check, for which PyTorch would have to be loaded
        from inv3d.export.background import Background

        try:
            Background.parse(text)
        except ValueError as error:
            raise _refuse(text, str(error).removeprefix("not ")) from error
    return text


def either(words: Sequence[str]) -> str:
    """Words in a list: "a, b or c"."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@dataclass(frozen=True)
class OneOf:
    """A parser of one of some `names`."""

    names: tuple[str, ...]

    def __call__(self, text: str) -> Any:
        """The name. Raises Refused."""
        if text not in self.names:
            raise _refuse(text, either(self.names))
        return text


@dataclass(frozen=True)
class Number:
    """A parser of finite numbers from `low` to `high`."""

    low: float
    high: float
    whole: bool = False

    @property
    def range(self) -> str:
        """The range in words."""
        kind = "a whole number" if self.whole else "a number"
        low, high = (f"{limit:d}" if isinstance(limit, int) else f"{limit:g}" for limit in (self.low, self.high))
        return f"{kind} from {low} to {high}"

    def __call__(self, text: str) -> Any:
        """The number, an int or a float. Raises Refused."""
        try:
            number = int(str(text)) if self.whole else float(str(text))
        except ValueError as error:
            raise _refuse(text, self.range) from error
        # a comparison with nan is false
        if not self.low <= number <= self.high:
            raise _refuse(text, self.range)
        return number


_MILLIMETRES = {"": 1.0, "mm": 1.0, "cm": 10.0, "m": 1000.0}


@dataclass(frozen=True)
class Length(Number):
    """A parser of lengths such as "155mm", "15.5 cm" or "0.155m"; millimetres if there is no unit."""

    example: str = "155mm"

    @property
    def range(self) -> str:
        return f"a length from {self.low:g}mm to {self.high:g}mm, such as {self.example}"

    def __call__(self, text: str) -> float:
        """Millimetres. Raises Refused."""
        found = re.fullmatch(r"\s*(.*?)\s*(mm|cm|m|)\s*", str(text))
        try:
            if found is None:
                raise ValueError
            return float(super().__call__(str(float(found[1]) * _MILLIMETRES[found[2]])))
        except (Refused, ValueError) as error:
            raise _refuse(text, self.range) from error


ANGLE = Number(-360.0, 360.0)


@dataclass(frozen=True)
class Parsed:
    """What was parsed from a `text`, by which it is shown."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Angles(Parsed):
    """Angles in degrees, and the text that they were parsed from."""

    degrees: tuple[float, ...]


def angles(text: str | Angles) -> Angles:
    """Parse "-60,0,60". Raises Refused."""
    if isinstance(text, Angles):  # a default
        return text
    try:
        degrees = tuple(ANGLE(part) for part in text.split(","))
    except Refused as error:
        raise _refuse(
            text, "a list of angles: use degrees from -360 to 360, separated by commas, such as -60,0,60"
        ) from error
    if len(degrees) > MOST_ANGLES:
        raise Refused(f"has {len(degrees)} angles, more than {MOST_ANGLES}")
    return Angles(text, degrees)


TRIANGLES = Number(100, 10_000_000, whole=True)


@dataclass(frozen=True)
class Levels(Parsed):
    """Numbers of triangles in descending order, one for each level of detail, and the text that they were parsed from."""

    triangles: tuple[int, ...]


def levels(text: str | Levels) -> Levels:
    """Parse "40000" or "40000,10000,2500". Raises Refused."""
    if isinstance(text, Levels):  # a default
        return text
    parts = text.split(",")
    if len(parts) == 1:
        return Levels(text, (TRIANGLES(text),))
    try:
        triangles = tuple(TRIANGLES(part) for part in parts)
    except Refused as error:
        raise _refuse(
            text, f"{TRIANGLES.range}, or a list of levels of detail, separated by commas, such as 40000,10000,2500"
        ) from error
    if any(coarse >= fine for fine, coarse in itertools.pairwise(triangles)):
        raise Refused("has levels of detail that do not get coarser: put the finest first, such as 40000,10000,2500")
    if len(triangles) > MOST_LEVELS:
        raise Refused(f"has {len(triangles)} levels of detail, more than {MOST_LEVELS}")
    return Levels(text, triangles)


@dataclass(frozen=True)
class Seeds(Parsed):
    """Seeds, one for each head, and the text that they were parsed from."""

    numbers: tuple[int, ...]


def seeds(text: str | Seeds) -> Seeds:
    """Parse "0-3,7" as 0, 1, 2, 3, 7. Raises Refused."""
    if isinstance(text, Seeds):
        return text
    spans = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,19})(?:-([0-9]{1,19}))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last <= LARGEST_SEED:
            raise _refuse(text, "a list of seeds: use whole numbers and ranges, separated by commas, such as 0-23,42")
        spans.append(range(first, last + 1))
    count = sum(span.stop - span.start for span in spans)
    if count > MOST_SEEDS:
        raise Refused(f"has {count} seeds, more than {MOST_SEEDS}")
    return Seeds(text, tuple(seed for span in spans for seed in span))


@dataclass(frozen=True)
class WhichHead(Parsed):
    """A head's number counted from the left, or its position (x, y) in pixels, and the text that it was parsed from."""

    choice: int | tuple[float, float]


@dataclass(frozen=True)
class Assignment(Parsed):
    """A name or a number with a strength, and the text that they were parsed from."""

    name: str | int
    strength: float


STRENGTH = Number(-100, 100)
COMPONENT = Number(0, 4095, whole=True)


def named_strength(text: str) -> Assignment:
    """Parse "smile=+2". Raises Refused."""
    name, _, strength = str(text).partition("=")
    try:
        if not name.strip():
            raise _refuse(text, "")
        return Assignment(text, name.strip(), STRENGTH(strength))
    except Refused as error:
        raise _refuse(
            text, f"an edit: use a name and a strength, {STRENGTH.range}, such as smile=+2"
        ) from error


SHARE = Number(0, 1)


def styled(text: str) -> Assignment:
    """Parse "toon", or "toon=0.5" for half-way. Raises Refused."""
    name, equals, strength = str(text).partition("=")
    try:
        if not name.strip():
            raise _refuse(text, "")
        return Assignment(text, name.strip(), SHARE(strength) if equals else 1.0)
    except Refused as error:
        raise _refuse(text, f"a style: use its name, and a strength, {SHARE.range}, such as toon=0.5") from error


def numbered_strength(text: str) -> Assignment:
    """Parse "3=+2". Raises Refused."""
    number, _, strength = str(text).partition("=")
    try:
        return Assignment(text, COMPONENT(number), STRENGTH(strength))
    except Refused as error:
        raise _refuse(
            text, f"a component: use its number and a strength, {STRENGTH.range}, such as 3=+2"
        ) from error


@dataclass(frozen=True)
class Taken(Parsed):
    """A name, the head that it is taken from, and the text that they were parsed from."""

    name: str
    head: Path


def taken(text: str) -> Taken:
    """Parse "hair=other-inv3d". Raises Refused, InputError."""
    name, _, head = str(text).partition("=")
    if not name.strip() or not head.strip():
        raise _refuse(text, "something to take: use a name and the folder of another head, such as hair=other-inv3d")
    return Taken(text, name.strip(), input_path(head))


@dataclass(frozen=True)
class Range(Parsed):
    """A name or a number with the strengths that it goes through, and the text that they were parsed from."""

    name: str | int
    start: float
    end: float


def strength_range(text: str) -> Range:
    """Parse "smile=-2..2", or "3=-2..2" for a component. Raises Refused."""
    name, _, strengths = str(text).partition("=")
    start, _, end = strengths.partition("..")
    try:
        if not name.strip():
            raise _refuse(text, "")
        low, high = STRENGTH(start), STRENGTH(end)
        found = Range(text, COMPONENT(name) if name.strip().isdecimal() else name.strip(), low, high)
    except Refused as error:
        raise _refuse(
            text, f"a range of strengths: use a name and two of them, each {STRENGTH.range}, such as smile=-2..2"
        ) from error
    if low == high:
        raise Refused(f"{found} does not change: use two different strengths, such as smile=-2..2")
    return found


@dataclass(frozen=True)
class Layers(Parsed):
    """The first and the last of some layers, and the text that they were parsed from."""

    first: int
    last: int


LAYER = Number(0, 4095, whole=True)


def layers(text: str) -> Layers:
    """Parse "0-6" or "3". Raises Refused."""
    first, dash, last = str(text).partition("-")
    try:
        low = LAYER(first)
        high = LAYER(last) if dash else low
        if high < low:
            raise _refuse(text, "")
        return Layers(text, low, high)
    except Refused as error:
        raise _refuse(text, "a range of layers: use the first and the last, counted from 0, such as 0-6") from error


HEAD_NUMBER = Number(1, 1000, whole=True)
PLACE = Number(0, 100_000)


def which_head(text: str) -> WhichHead:
    """Parse "2" or "310,220". Raises Refused."""
    parts = str(text).split(",")
    try:
        if len(parts) == 1:
            return WhichHead(text, HEAD_NUMBER(text))
        x, y = (PLACE(part) for part in parts)
        return WhichHead(text, (x, y))
    except (Refused, ValueError) as error:
        raise _refuse(
            text, "a head: use its number counted from the left, such as 2, or its position in pixels, such as 310,220"
        ) from error


def device_name(text: str) -> str:
    """Check a device: auto, cpu, cuda or cuda:N. Raises Refused."""
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", str(text)):
        raise _refuse(text, "a device: use auto, cpu, cuda or cuda:N")
    return str(text)


def output_path(text: str) -> Path:
    """The path of a new file or folder. Raises Refused."""
    path = some_path(text)
    if path.name in ("", ".."):
        raise _refuse(text, "the name of a new file or folder")
    _refuse_long(path)
    return path


def folder_path(text: str) -> Path:
    """The path of a folder that exists or can be created. Raises Refused."""
    path = some_path(text)
    _refuse_long(path)
    if path.exists() and not path.is_dir():
        raise _refuse(text, "a folder")
    return path


def input_path(text: str) -> Path:
    """The path of an input; pipes and devices are refused, because opening one might block forever. Raises Refused for
    an empty path, InputError for one that cannot be read."""
    path = some_path(text)
    fault = unreadable(path)
    if fault is not None:
        from inv3d.core.errors import InputError

        raise InputError(*fault)
    return path


def checkpoint_path(text: str) -> Path:
    """Like `input_path`, for the file of a model. Raises ModelError."""
    path = some_path(text)
    fault = unreadable(path)
    if fault is not None:
        from inv3d.core.errors import ModelError

        raise ModelError(*fault)
    return path


def unreadable(path: Path) -> tuple[str, str] | None:
    """Why a path cannot be read, and a hint; None if it can be read, or does not exist."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None  # may be a pattern
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}", "check the path and its permissions"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return f"{path} is not a regular file", "save its content to a file first"
    if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        return f"{path} cannot be read: permission denied", "check its permissions"
    return None


def some_path(text: str) -> Path:
    """A path or a pattern. Raises Refused for an empty one."""
    if not str(text).strip():
        raise _refuse(text, "a path")
    return Path(text)


def _refuse_long(path: Path) -> None:
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        raise _refuse(path, f"a valid path: a name in it is longer than {_LONGEST_NAME} bytes")
