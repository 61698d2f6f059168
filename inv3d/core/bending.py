"""A head shaped as the photos show it that it was fitted to: its face, then its outlines, and nothing where they show the room."""

from __future__ import annotations

from dataclasses import replace

from inv3d.core.encoders.inverter import read_detail
from inv3d.core.encoders.store import local_branch
from inv3d.core.faceshape import faced
from inv3d.core.girth import girded
from inv3d.core.head import Head
from inv3d.core.hulls import hull_of
from inv3d.core.inversion.invert import Footage


def bent(head: Head, footage: Footage) -> tuple[Head, Footage]:
    """The head with its face and outlines where the targets of its `footage` show them, and nothing outside of these; and the footage with
    the cameras of the targets; both as they are where it is not known what the model or the targets show. Local detail is read anew,
    beside the bent head. Raises ModelError if the encoder that reads it is damaged."""
    detail = head.detail
    branch = None if detail is None else local_branch(head.bundle, detail.film)
    if detail is not None and branch is None:  # nothing could read it
        return head, footage
    plain, footage = faced(replace(head, detail=None), footage)
    girth = girded(plain, footage.targets)
    if girth is not None:
        plain = replace(plain, bend=girth if plain.bend is None else girth.after(plain.bend))
    targets = footage.targets.to(head.generator.device)
    plain = replace(plain, hull=None if head.bundle.face is None else hull_of(targets))
    if branch is None:
        return plain, footage
    detail = read_detail(branch, head.bundle, targets, plain.track.codes, plain.shaped)
    return replace(plain, detail=detail).rounded(), footage
