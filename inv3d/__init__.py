"""inv3d: from a head-turn video, or one photo, to a 3D head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inv3d.notebook import load

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`inv3d.load`, imported with torch when it is first used."""
    if name == "load":
        from inv3d.notebook import load

        return load
    raise AttributeError(f"module 'inv3d' has no attribute {name!r}")
