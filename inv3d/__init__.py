"""inv3d: from a head-turn video, or one photo, to a 3D head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inv3d.notebook import from_photo, from_video, load

__all__ = ["__version__", "from_photo", "from_video", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The functions for scripts and notebooks, imported with torch when one of them is first used."""
    if name in __all__:
        from inv3d import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'inv3d' has no attribute {name!r}")
