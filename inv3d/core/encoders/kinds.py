"""The kinds of encoders and their purposes; light enough to be imported for help texts."""

from inv3d.core.errors import UsageError

PREIM3D, E3DGE, NO_ENCODER = "preim3d", "e3dge", "none"
"""With `NO_ENCODER`, optimisation starts at the mean code."""
ENCODERS = {
    PREIM3D: "one pass from a photo to a code, Li et al. 2023",
    E3DGE: "one pass from a photo to a code and local detail, Lan et al. 2025",
}
"""Names and purposes. Each name is a recipe of `inv3d train encoder` and a file beside a model's other parts."""

INGREDIENTS = ("geometry", "local", "alignment", "novel-views", "adversarial")
"""What the training of E3DGE can do without (`inv3d train encoder --without`), for the paper's ablations."""


def described() -> str:
    """The list of encoders for a help text."""
    return ", ".join(f"{name} ({purpose})" for name, purpose in ENCODERS.items())


def check_encoder_name(name: str) -> None:
    """Raises UsageError for the name of no encoder."""
    if name not in (NO_ENCODER, *ENCODERS):
        raise UsageError(f"there is no encoder '{name}'", f"choose one of: {', '.join((*ENCODERS, NO_ENCODER))}")
