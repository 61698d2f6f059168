"""The folder of a head: written, and read again."""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from safetensors.torch import save
from torch import Tensor

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import Camera
from inv3d.core.details import load_detail, save_detail
from inv3d.core.editing.edits import Edit
from inv3d.core.errors import InputError, ModelError
from inv3d.core.generator import Bend, Hull
from inv3d.core.head import Head, apply_changes
from inv3d.core.latents import LatentTrack
from inv3d.core.lumigraph import Lumigraph
from inv3d.core.records import Degrees, Record, read_record, shown, write_record
from inv3d.core.tone import Tone
from inv3d.core.weights import MOST_ROWS, Refuse, Shape, has_tensor, read_tensors, shapes_of

HEAD, CODES, WEIGHTS, DETAIL = "head.json", "codes.safetensors", "weights.safetensors", "detail.safetensors"
FRAMES, EDITS, BEND, HULL = "frames.safetensors", "edits.safetensors", "bend.safetensors", "hull.safetensors"
MOST_EDITS = 64
_CODES, _WTRI, _DISPLACEMENTS = "codes", "wtri", "displacements"
_LARGEST = 65504.0  # the largest float16
_HINT = "name an output folder of `inv3d video` or `inv3d image`; if this is one, make it again"


class EditRecord(Record):
    """An edit in words; its displacement is a row of `edits.safetensors`."""

    name: Annotated[str, Field(max_length=64)]
    strength: Annotated[float, Field(ge=-1000.0, le=1000.0)]
    first: Annotated[int, Field(ge=0, le=MOST_ROWS)]
    last: Annotated[int, Field(ge=0, le=MOST_ROWS)]
    style: bool = False
    """Whether it is a style of the model."""


class HeadRecord(Record):
    """The content of `head.json`. Format 2 has edits, format 3 styles among them, what format 4 describes may be bent, and
    what format 5 does be within a hull."""

    hint = _HINT
    largest = 1 << 16

    format: int = Field(default=5, ge=1)
    model: Annotated[str, Field(max_length=64)]
    model_fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """The fingerprint of the generator to which the weight changes are added."""
    latents: Annotated[int, Field(ge=1, le=MOST_ROWS)]
    yaw_range_degrees: tuple[Degrees, Degrees]
    body_stays: bool = False
    """Whether the body stays where it is while the head turns, in its frames and so in renders with their colours."""
    edits: Annotated[tuple[EditRecord, ...], Field(max_length=MOST_EDITS)] = ()

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.yaw_range_degrees[0] > self.yaw_range_degrees[1]:
            raise ValueError("yaw_range_degrees should ascend")
        return self


def save_head(head: Head, folder: Path) -> None:
    """Write `head.json`, the codes before all edits, the weight changes of tuning in float16, and edits, local detail, frames and
    what shapes its space if there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    fitted = head.origin or head
    track = fitted.track
    name = _WTRI if head.generator.space_of(track.codes) == head.generator.wtri_space else _CODES
    codes = {name: track.codes.cpu().contiguous(), "yaws": track.yaws.cpu().contiguous()}
    (folder / CODES).write_bytes(save(codes))
    if head.edits:
        displacements = torch.stack([edit.displacement for edit in head.edits])
        (folder / EDITS).write_bytes(save({_DISPLACEMENTS: displacements.cpu().contiguous()}))
    if fitted.detail is not None:
        save_detail(fitted.detail, folder / DETAIL)
    if head.lumigraph is not None:
        (folder / FRAMES).write_bytes(save(head.lumigraph.state()))
    for name, shape in ((BEND, fitted.bend), (HULL, fitted.hull)):
        if shape is not None:
            (folder / name).write_bytes(save(shape.state()))
    weights = {name: change.cpu().contiguous() for name, change in fitted.changes().items()}
    (folder / WEIGHTS).write_bytes(save(weights))
    low, high = (round(math.degrees(yaw), 3) for yaw in head.yaw_range)
    record = HeadRecord(
        model=head.bundle.name,
        model_fingerprint=head.bundle.fingerprint,
        latents=len(head.track),
        yaw_range_degrees=(low, high),
        body_stays=head.lumigraph is not None and head.lumigraph.body_stays,
        edits=tuple(
            EditRecord(
                name=edit.name, strength=edit.strength, first=edit.first, last=edit.last, style=edit.style is not None
            )
            for edit in head.edits
        ),
    )
    write_record(folder / HEAD, record)


def load_head(folder: Path, device: torch.device | str = "cpu") -> Head:
    """Read a head written by `save_head`; `folder` may also be the output folder around it.

    Raises InputError if the folder contains no readable head, ModelError if its model is missing or has changed.
    """
    folder = head_folder(folder)
    record = read_record(folder / HEAD, HeadRecord)
    bundle = load_bundle(record.model, device)
    if bundle.fingerprint != record.model_fingerprint:
        raise ModelError(
            f"the head in {folder} was made with another version of the model '{record.model}'",
            "make the head again from its clip or photo, or import that version of the model",
        )
    track = _read_track(folder / CODES, record.latents, bundle).to(device)
    base = shapes_of(bundle.generator)
    generator = bundle.generator
    if changes := _read(folder / WEIGHTS, base, optional=base):
        generator = copy.deepcopy(generator)
        apply_changes(generator, changes)
    detail = None
    if (folder / DETAIL).exists():
        detail = load_detail(folder / DETAIL, bundle.generator, _read, _refuse(folder / DETAIL))
    lumigraph = _read_frames(folder / FRAMES, record.body_stays)
    bend = _read_bend(folder / BEND, bundle.generator.box)
    hull = _read_hull(folder / HULL)
    low, high = (math.radians(yaw) for yaw in record.yaw_range_degrees)
    fitted = Head(
        generator, track, bundle, (low, high),
        None if detail is None else detail.to(device),
        None if lumigraph is None else lumigraph.to(device),
        bend=None if bend is None else bend.to(device),
        hull=None if hull is None else hull.to(device),
    )  # fmt: skip
    return fitted.edited(_read_edits(folder / EDITS, record.edits, bundle))


def head_folder(folder: Path) -> Path:
    """The folder that contains `head.json`: `folder` or its `head`. Raises InputError if there is none."""
    for place in (folder / "head", folder):
        try:
            if (place / HEAD).exists():
                return place
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} cannot be read: {getattr(error, 'strerror', error)}", _HINT) from error
    raise InputError(f"{folder} contains no head: {HEAD} is missing", _HINT)


def _refuse(path: Path) -> Refuse:
    return lambda why: InputError(f"{path} cannot be used: {why}", _HINT)


def _read(
    path: Path, expected: Mapping[str, Shape], optional: Container[str] = (), pictures: Container[str] = ()
) -> dict[str, Tensor]:
    """The tensors of a head. Raises InputError."""
    tensors = read_tensors(path, expected, _refuse(path), optional, pictures=pictures)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and bool((tensor.abs() > _LARGEST).any()):
            raise _refuse(path)(f"{name} contains larger values than any head")
    return tensors


def _read_track(path: Path, latents: int, bundle: Bundle) -> LatentTrack:
    """The codes of a head, in W+ or W_tri. Raises InputError if they are not `latents` codes of the model at ascending yaws."""
    name, space = _CODES, bundle.generator.code_space
    if bundle.generator.wtri_space is not None and has_tensor(path, _WTRI, _refuse(path)):
        name, space = _WTRI, bundle.generator.wtri_space
    shapes: dict[str, Shape] = {name: (None, space.num_ws, space.w_dim), "yaws": (None,)}
    tensors = _read(path, shapes)
    codes, yaws = tensors[name], tensors["yaws"]
    if not len(codes) == len(yaws) == latents:
        raise _refuse(path)(f"it has {len(codes)} codes and {len(yaws)} yaws where {HEAD} lists {latents}")
    if not bool((yaws.diff() >= 0.0).all()) or float(yaws.abs().max()) > math.tau:
        raise _refuse(path)("its yaws should ascend within one full turn")
    return LatentTrack(codes, yaws)


def _read_edits(path: Path, records: Sequence[EditRecord], bundle: Bundle) -> list[Edit]:
    """The edits of a head. Raises InputError if their displacements are not those of so many edits of the model's codes,
    ModelError for a style that the model lacks."""
    if not records:
        return []
    space = bundle.generator.code_space
    tensors = _read(path, {_DISPLACEMENTS: (None, space.num_ws, space.w_dim)})[_DISPLACEMENTS]
    if len(tensors) != len(records):
        raise _refuse(path)(f"it has {len(tensors)} edits where {HEAD} lists {len(records)}")
    if unknown := [each.name for each in records if each.style and each.name not in bundle.styles]:
        raise ModelError(f"the model '{bundle.name}' has no style '{shown(unknown[0])}', which the head wears", "update inv3d")
    return [
        Edit(each.name, each.strength, each.first, each.last, displacement, bundle.style(each.name) if each.style else None)
        for each, displacement in zip(records, tensors, strict=True)
    ]


def _read_bend(path: Path, side: float) -> Bend | None:
    """What bends the space of a head, a cube of this `side`, if anything does. Raises InputError."""
    if not path.exists():
        return None
    moved = _read(path, {"moved": (1, 3, None, None, None)})["moved"]
    if len(set(moved.shape[2:])) > 1 or moved.shape[2] == 0 or not float(moved.abs().max()) <= side:
        raise _refuse(path)("it does not bend space as heads do")
    return Bend(moved.float(), side)


def _read_hull(path: Path) -> Hull | None:
    """Where a head may be, if that is limited. Raises InputError."""
    if not path.exists():
        return None
    shapes: dict[str, Shape] = {"covered": (None, 1, None, None), "cam2world": (None, 4, 4), "intrinsics": (None, 3, 3)}
    tensors = _read(path, shapes, pictures={"covered"})
    if len({len(tensor) for tensor in tensors.values()}) > 1 or 0 in tensors["covered"].shape:
        raise _refuse(path)("its pictures and cameras are not as many")
    return Hull.from_state(tensors)


def _read_frames(path: Path, body_stays: bool) -> Lumigraph | None:
    """The frames of a head, if it has any, and whether its body stays in them. Raises InputError."""
    if not path.exists():
        return None
    shapes: dict[str, Shape] = {
        "pictures": (None, 4, None, None), "depth": (None, 1, None, None), "outside": (None, 1, None, None), "cam2world": (None, 4, 4), "intrinsics": (None, 3, 3),
    }  # fmt: skip
    tensors = _read(path, shapes, optional={"outside"}, pictures={"pictures"})
    tensors.setdefault("outside", torch.zeros_like(tensors["depth"]))  # heads of earlier versions did not know
    counts = {name: len(tensor) for name, tensor in tensors.items()}
    if tensors["outside"].shape[2:] != tensors["depth"].shape[2:]:
        raise _refuse(path)("outside and depth differ in size")
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise _refuse(path)(f"it has {', '.join(f'{count} {name}' for name, count in counts.items())}")
    camera = Camera(tensors["cam2world"], tensors["intrinsics"])
    pictures = tensors["pictures"]
    return Lumigraph(
        pictures, camera, tensors["depth"], tensors["outside"], body_stays=body_stays, tone=Tone.of(pictures)
    )
