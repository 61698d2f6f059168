"""inv3d: from a head-turn video, or one photo, to a 3D head."""

__version__ = "0.1.0"
