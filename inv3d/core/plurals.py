"""Numbers of things in words."""

from __future__ import annotations


def number_of(count: int, thing: str) -> str:
    """So many of a `thing`: "1 frame", "2 frames"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
