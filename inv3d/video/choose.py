"""Choosing one of several heads."""

from __future__ import annotations

import torch

from inv3d.core.errors import InputError
from inv3d.video.locate import Located

HeadChoice = int | tuple[float, float]
"""A number, counted from the left and starting at 1, or a position (x, y) in pixels of the picture as shown."""
_MAIN = 0.5
"""A head is the main one if no other is larger than this fraction of its size."""


def in_words(head: HeadChoice | None) -> str:
    """The choice as a value of `--head`; empty for none."""
    return "" if head is None else str(head) if isinstance(head, int) else f"{head[0]:g},{head[1]:g}"


def choose(found: Located, head: HeadChoice | None, scale: tuple[float, float], where: str) -> Located:
    """The head in `found` that `head` selects, by default the only or clearly largest one; empty if `found` is.

    `scale` is the size of a pixel of the frame that was searched, in pixels of the picture, across and down; `where`
    names the picture. Raises InputError if there is no such head, or if it is not clear which one is meant.
    """
    if not len(found):
        return found
    found = found[found.crops.center[:, 0].argsort()]
    size, centers = found.crops.size, found.crops.center * torch.tensor(scale)
    places = " and ".join(f"({x:.0f}, {y:.0f})" for x, y in centers.tolist())
    heads = f"there is one head in {where}" if len(found) == 1 else f"there are {len(found)} heads in {where}"
    if isinstance(head, int):
        if not 1 <= head <= len(found):
            raise InputError(
                f"{heads}, at {places}: there is no head {head}", "use another number or position with --head"
            )
        return found[[head - 1]]
    if head is not None:
        away = (centers - torch.tensor(head)).norm(dim=1)
        nearest = int(away.argmin())
        if float(away[nearest]) > 0.5 * float(size[nearest]) * max(scale):
            x, y = head
            raise InputError(f"{heads}, at {places}: none is at ({x:.0f}, {y:.0f})", "use another position with --head")
        return found[[nearest]]
    order = size.argsort(descending=True).tolist()
    if len(order) > 1 and float(size[order[1]]) > _MAIN * float(size[order[0]]):
        raise InputError(
            f"{heads}, at {places}", "choose one by its number from the left (--head 1) or by its position (--head X,Y)"
        )
    return found[order[:1]]
