"""The editing job as plain functions: a finished head and edits -> the output folder of the edited head."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

import inv3d
from inv3d.core.bundle import Bundle
from inv3d.core.codes import CodeStatistics, code_statistics
from inv3d.core.counting import counting
from inv3d.core.editing.directions import Direction, Directions, component
from inv3d.core.editing.edits import Edit, check_distance, make_edit, reach, style_edit
from inv3d.core.editing.styles import Style
from inv3d.core.editing.taking import take, trait_names
from inv3d.core.errors import InputError, ModelError, UsageError
from inv3d.core.files import write_whole_folder
from inv3d.core.head import Head
from inv3d.core.headfile import CODES, MOST_EDITS, head_folder, save_head
from inv3d.core.inversion.loop import Progress, silent, staged
from inv3d.core.library import sha256
from inv3d.core.plurals import number_of
from inv3d.core.records import Digest, Record, Text, shown, write_record
from inv3d.destination import RUN
from inv3d.export.edits import before_and_after
from inv3d.export.pictures import save_png
from inv3d.export.view import VIEW, edit_pictures, picture_of, write_view

SHEET = "edit.png"
_SIDE = 256  # pixels of a picture in the sheet
_COLUMNS = 3
_PAGE = 7  # renders along the yaw axis of the page
_RESOLUTION: int | None = None  # of these: the model's own


class EditRun(Record):
    """The content of `run.json` of an edited head."""

    sha256: Digest
    """Of the codes that were edited."""
    source: Text
    model: Text
    version: Text
    edits: tuple[Text, ...]
    files: tuple[Text, ...]


class Change(Protocol):
    """A change that was asked for: so many standard deviations along a named direction, or along a component of the codes
    (GANSpace) if `name` is a number; or so much of a style."""

    @property
    def name(self) -> str | int: ...

    @property
    def strength(self) -> float: ...


class Sweep(Protocol):
    """A change whose strength goes from `start` to `end`."""

    @property
    def name(self) -> str | int: ...

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...


@dataclass(frozen=True)
class Taking:
    """What to take, by its `name`, from another `head`; `whose` is that head's name."""

    name: str
    head: Head
    whose: str


@dataclass(frozen=True)
class Standing:
    """Where a head stands along a direction, in standard deviations, and the strengths that it allows."""

    direction: Direction
    reading: float
    least: float
    most: float


def named_directions(bundle: Bundle) -> Directions:
    """Raises ModelError if the model has none."""
    if bundle.directions is None:
        raise ModelError(
            f"the model '{bundle.name}' has no named directions", "use --component, which works with every model"
        )
    return bundle.directions


def all_directions(bundle: Bundle, components: int) -> list[Direction]:
    """The named directions of a model, if it has any, and its first `components`.

    Raises ModelError if that is none, UsageError if there are not so many components.
    """
    statistics = _statistics(bundle) if components else None
    named = [] if bundle.directions is None and components else [*named_directions(bundle)]
    return named + ([] if statistics is None else [component(statistics, i) for i in range(components)])


def _statistics(bundle: Bundle) -> CodeStatistics:
    return bundle.statistics or code_statistics(bundle.generator, bundle.info.front)


def standings(head: Head) -> list[Standing]:
    """Where a head stands along the directions of its model; none if the model has none."""
    space, found = head.generator.code_space, []
    for direction in head.bundle.directions or ():
        first, last = space.layers(direction.span)
        reading = direction.reading(head.wplus[:, first : last + 1], first)
        found.append(Standing(direction, reading, *reach(direction, reading)))
    return found


def takeable(head: Head) -> list[str]:
    """What a head can take from another of the same model."""
    found = head.bundle.directions
    return trait_names(() if found is None else found.traits, head.generator.code_space)


def changed(
    head: Head, changes: Sequence[Change], undo: int = 0, layers: tuple[int, int] | None = None, takes: Sequence[Taking] = (),
    styles: Sequence[Change] = (),
) -> Head:  # fmt: skip
    """The head without its last `undo` edits, and with `changes`, `takes` and `styles` made one after the other, in the `layers`
    (first and last) or in those of each direction.

    Raises UsageError if there are not so many edits to undo, or too many, if a name is unknown, or if a change goes further
    than the model holds; ModelError if the model has no directions; InputError for a head of another model.
    """
    if undo > len(head.edits):
        raise UsageError(f"the head has {number_of(len(head.edits), 'edit')} to undo", "`inv3d edit HEAD --list` shows them")
    head = head.edited(head.edits[: len(head.edits) - undo])
    if len(head.edits) + len(changes) + len(takes) + len(styles) > MOST_EDITS:
        raise UsageError(f"a head has at most {MOST_EDITS} edits", "undo some with --undo")
    editor = _Editor(head, layers)
    for change in changes:
        editor.change(editor.found(change.name), change.strength)
    for taking in takes:
        editor.take(taking.name, taking.head, taking.whose)
    for style in styles:
        editor.change(head.bundle.style(str(style.name)), style.strength)
    return editor.head


def swept(
    head: Head, sweeps: Sequence[Sweep], shares: Sequence[float], layers: tuple[int, int] | None = None
) -> list[tuple[Edit, ...]]:
    """The edits of the head with all `sweeps` added, for every share of their way from start (0) to end (1).

    Raises what `changed` raises.
    """
    editor, choices = _Editor(head, layers), []
    found = [editor.found(sweep.name) for sweep in sweeps]
    for share in shares:
        editor.head = head
        for each, sweep in zip(found, sweeps, strict=True):
            editor.change(each, sweep.start + share * (sweep.end - sweep.start))
        choices.append(editor.head.edits)
    return choices


@dataclass
class _Editor:
    """Makes edits of a `head`, one after the other, in the `layers` (first and last) or in those of each direction."""

    head: Head
    layers: tuple[int, int] | None

    @functools.cached_property
    def statistics(self) -> CodeStatistics:
        return _statistics(self.head.bundle)

    def found(self, name: str | int) -> Direction | Style:
        """Raises UsageError, ModelError."""
        if isinstance(name, int):
            return component(self.statistics, name)
        bundle = self.head.bundle
        return bundle.style(name) if name in bundle.styles else named_directions(bundle)[name]

    def change(self, what: Direction | Style, strength: float) -> None:
        """Raises UsageError if that is further than the model, or the style, holds, or if a style should have layers."""
        head = self.head
        if isinstance(what, Direction):
            self._add(make_edit(what, strength, head.wplus, head.generator.code_space, self.layers))
        elif self.layers is not None:
            raise UsageError(f"--layers has no effect on the style '{what.name}'", "use it with directions")
        else:
            self._add(style_edit(what, strength, head.edits, head.wplus))

    def take(self, name: str, other: Head, whose: str) -> None:
        """Raises UsageError for unknown names, InputError for a head of another model."""
        head, bundle = self.head, self.head.bundle
        if other.bundle.fingerprint != bundle.fingerprint:
            raise InputError(
                f"{shown(whose)} is a head of the model '{other.bundle.name}', not of '{bundle.name}'",
                "take from heads of the same model",
            )
        traits = () if bundle.directions is None else bundle.directions.traits
        codes = other.wplus.to(head.wplus)
        self._add(take(name, traits, head.wplus, codes, head.generator.code_space, whose, self.layers))

    def _add(self, edit: Edit) -> None:
        before = self.head
        self.head = before.edited([*before.edits, edit])
        fitted = before.origin or before
        check_distance(fitted.wplus, before.wplus, self.head.wplus, self.statistics, edit)


def yaws_across(head: Head) -> Tensor:
    """The yaws (radians) of the columns of a sheet of a head."""
    low, high = head.yaw_range
    return torch.linspace(low, high, _COLUMNS) if high > low else torch.tensor([low - 0.5, low, low + 0.5])


def write_edited(head: Head, before: Head, source: Path, out: Path, progress: Progress = silent) -> None:
    """Write the output folder of an edited head, whole or not at all, in the place of an older one: the head, a sheet that
    compares it with the head `before`, which lies in `source`, a page with sliders for its edits, and a record. Raises InputError if it cannot be rendered,
    OSError."""
    sheet = before_and_after(before, head, yaws_across(head), _SIDE, staged(progress, "sheet"))
    low, high = head.shown_range
    yaws = torch.linspace(low, high, _PAGE if high > low else 1)
    cameras = head.camera(yaws, torch.zeros_like(yaws))
    picture = counting(picture_of, staged(progress, "page"), len(yaws))
    pictures = head.render_each(cameras, picture, _RESOLUTION, sparse=True)
    edits = edit_pictures(head, _RESOLUTION, staged(progress, "sliders"))
    with write_whole_folder(out) as part:
        save_head(head, part / "head")
        save_png(part / SHEET, sheet)
        title = f"{out.name}: {', '.join(map(str, head.edits)) or 'no edits'}"
        write_view(part / VIEW, title, head, b"", yaws.tolist(), pictures, edits=edits)
        written = (path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file())
        record = EditRun(
            sha256=sha256(head_folder(source) / CODES),
            source=str(source),
            model=head.bundle.name,
            version=inv3d.__version__,
            edits=tuple(map(str, head.edits)),
            files=tuple(sorted({*written, RUN})),
        )
        write_record(part / RUN, record)
