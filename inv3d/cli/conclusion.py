"""The error with which a command on several inputs ends."""

from __future__ import annotations

from collections.abc import Mapping

from inv3d.core.errors import InputError, Inv3dError, ModelError, OutOfMemoryError, UsageError
from inv3d.core.plurals import number_of


def conclude(failed: Mapping[str, Inv3dError], total: int, inputs: str, reasons: str, strict: bool = False) -> None:
    """Raises the error with which a command ends that has made heads of `total` inputs, of which some `failed`, if it is to
    end with one: an input that cannot be used is no failure, unless it is `strict` or there is no other; whatever may go better
    another time is. `inputs` are called so, and `reasons` says where the reasons are told."""
    if len(failed) == total == 1:
        raise next(iter(failed.values()))
    for kind in (Inv3dError, OutOfMemoryError, ModelError, UsageError):
        found = [(name, error) for name, error in failed.items() if error.exit_code == kind.exit_code]
        if found:
            name, error = found[0]
            raise kind(f"{number_of(len(found), 'head')} failed, such as {name}: {error.message}", error.hint)
    if failed and (strict or len(failed) == total):
        which = "none" if len(failed) == total else f"{len(failed)}"
        cannot = "can be used" if which == "none" else "cannot be used"
        raise InputError(f"{which} of the {total} {inputs} {cannot}", f"see the reasons {reasons}")
