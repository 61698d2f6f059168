"""A head bent to the photos that it was fitted to, where its generator has another shape: of its face, then of its outlines."""

from __future__ import annotations

from dataclasses import replace

from inv3d.core.faceshape import faced
from inv3d.core.girth import girded
from inv3d.core.head import Head
from inv3d.core.inversion.invert import Footage


def bent(head: Head, footage: Footage) -> tuple[Head, Footage]:
    """The head with its face and outlines where the targets of its `footage` show them, and the footage with the cameras of these; both
    as they are where the head has detail, which lies on it as the picture does, or where it is not known what the model shows."""
    if head.detail is not None:
        return head, footage
    head, footage = faced(head, footage)
    girth = girded(head, footage.targets)
    if girth is None:
        return head, footage
    return replace(head, bend=girth if head.bend is None else girth.after(head.bend)), footage
