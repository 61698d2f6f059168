"""The kinds of encoders and their purposes; light enough to be imported for help texts."""

from collections.abc import Sequence

from inv3d.core.errors import UsageError

PREIM3D, E3DGE, WTRI, NO_ENCODER = "preim3d", "e3dge", "wtri", "none"
"""With `NO_ENCODER`, optimisation starts at the mean code."""
ENCODERS = {
    PREIM3D: "one pass to a code, quickest, edits well",
    E3DGE: "one pass to code and detail, nearest to photos",
    WTRI: "five passes to a code with parts for planes",
}
"""Names and purposes (Li et al. 2023, Lan et al. 2025, Oh and Jo 2023). Each name is a recipe of `inv3d train encoder` and a
file beside a model's other parts."""

INGREDIENTS = {
    PREIM3D: ("alternating", "around"),
    E3DGE: ("geometry", "local", "projection", "alignment", "novel-views", "adversarial"),
    WTRI: ("planes", "cycle"),
}
"""What the training of an encoder can do without (`inv3d train encoder --without`), for its paper's ablations."""


def described() -> str:
    """The list of encoders for a help text."""
    return ", ".join(f"{name} ({purpose})" for name, purpose in ENCODERS.items())


def in_lines() -> str:
    """The same, a line each."""
    return ";\n".join(f"{name}: {purpose}" for name, purpose in ENCODERS.items())


def ingredients() -> str:
    """The ingredients of each recipe for a help text."""
    return "; ".join(f"of {recipe}: {', '.join(names)}" for recipe, names in INGREDIENTS.items())


def check_ingredients(recipe: str, without: Sequence[str]) -> None:
    """Raises UsageError for what a recipe does not have."""
    own = INGREDIENTS[recipe]
    if unknown := [name for name in without if name not in own]:
        raise UsageError(f"the recipe {recipe} has no ingredient '{unknown[0]}'", f"choose among: {', '.join(own)}")


def check_encoder_name(name: str) -> None:
    """Raises UsageError for the name of no encoder."""
    if name not in (NO_ENCODER, *ENCODERS):
        raise UsageError(f"there is no encoder '{name}'", f"choose one of: {', '.join((*ENCODERS, NO_ENCODER))}")
