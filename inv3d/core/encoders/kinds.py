"""The kinds of encoders that there are, and what each is for; light enough for help texts."""

PREIM3D, NO_ENCODER = "preim3d", "none"
"""Optimisation begins at the mean code."""
ENCODERS = {
    PREIM3D: "one pass from a photo to a code (PREIM3D, Li et al. 2023)",
}
"""Names and purposes. Each name is a recipe of `inv3d train encoder` and a file beside a model's other parts."""


def described() -> str:
    """The encoders for a help text."""
    return "; ".join(f"{name}: {purpose}" for name, purpose in ENCODERS.items())
