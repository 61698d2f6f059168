"""The errors that the user can fix, and warnings. Each error carries a message, a hint, and the exit code of the command."""

from __future__ import annotations


class Inv3dError(Exception):
    """`message` says what is wrong, `hint` what to do about it; one line each."""

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __reduce__(self) -> tuple[type[Inv3dError], tuple[str, str]]:
        """Errors may come from other processes."""
        return type(self), (self.message, self.hint)


class Inv3dWarning(UserWarning):
    """Something works, but not as well as it could; one line."""


class UsageError(Inv3dError):
    """The command was used wrongly: options that contradict each other, an output that exists."""

    exit_code = 2


class InputError(Inv3dError):
    """The input cannot be used: no video stream, no head, too little rotation, a damaged file."""

    exit_code = 3


class ModelError(Inv3dError):
    """A model is missing or unreadable."""

    exit_code = 4


class StoppedError(Inv3dError):
    """The user stopped the run."""

    exit_code = 130


class OutOfMemoryError(Inv3dError):
    """The memory of the machine or the device is too small."""

    exit_code = 5
