"""Records: the JSON files that inv3d writes and reads, one typed class for each kind of file.

A record is checked once, at the border. What is in a `Record` has the declared types and sizes and finite numbers,
whether it was read from a file or made by the program; no other code checks again.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from inv3d.core.errors import InputError, Inv3dError
from inv3d.core.files import write_whole

STRICT = ConfigDict(
    frozen=True, strict=True, allow_inf_nan=False, revalidate_instances="always", protected_namespaces=()
)
"""Nothing is converted: "3" is not 3 and true is not 1. Holds for the dataclasses inside a record, too. Older versions of
pydantic would warn of fields called `model_...`."""
_MOST_SHOWN = 80  # characters of a field's name or of a reason


def _encodable(value: Any) -> Any:
    """File names that are not UTF-8 contain lone surrogates, which JSON does not allow; they are written as escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(max_length=4096), BeforeValidator(_encodable)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal digits."""
Count = Annotated[int, Field(ge=0, le=1 << 40)]
Number = Annotated[float, Field(ge=-1e12, le=1e12)]
Positive = Annotated[float, Field(gt=0.0, le=1e6)]
Degrees = Annotated[float, Field(ge=-360.0, le=360.0)]


class Border:
    """How files of a kind are refused: the class and hint of the error, and the largest size in bytes."""

    fault: ClassVar[type[Inv3dError]] = InputError
    hint: ClassVar[str] = "make it again, or restore it from a copy"
    largest: ClassVar[int] = 1 << 18


class Checked(Border, BaseModel):
    """A file of JSON that pydantic checks."""


class Record(Checked):
    """Base of all records. Fields that are not declared are refused.

    The default of `format` is the newest number that this version knows; files that have none are of number 1. A record
    whose layout changes declares `format` anew with the next number, and gives new fields defaults for old files.
    """

    model_config = ConfigDict(**STRICT, extra="forbid")

    format: int = Field(default=1, ge=1)

    def changed(self, **fields: Any) -> Self:
        """This record with other values in some fields. Raises ValueError if they are not valid."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | fields)


class _Numbered(BaseModel):
    """Only the format number of a file."""

    model_config = ConfigDict(strict=True, extra="ignore")

    format: int = 1


AnyChecked = TypeVar("AnyChecked", bound=Checked)


def read_record(path: Path, kind: type[AnyChecked]) -> AnyChecked:
    """The record of `kind` in a file.

    Raises the kind's error with one line that names the file, the field and what is wrong: the file is missing, not a
    regular file, too large, not JSON, nested too deeply, written by a newer inv3d, or a field is missing, unknown, of
    another type, out of its bounds, NaN or infinite.
    """
    raw = read_bounded(path, kind)
    try:
        number = _Numbered.model_validate_json(raw).format
    except ValidationError:
        number = 1  # the full validation below reports what is wrong
    newest = kind.model_fields["format"].default if "format" in kind.model_fields else 1
    if number > newest:
        raise kind.fault(
            f"{path} was written by a newer version of inv3d (format {number}, not {newest})", "update inv3d"
        )
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise kind.fault(f"{path} is damaged: {reason(error)}", kind.hint) from error


def read_bounded(path: Path, kind: type[Border]) -> bytes:
    """The bytes of a regular file within the size limit of its kind. Raises the kind's error."""
    try:
        # a FIFO would block until there is a writer, a device may never end
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise kind.fault(f"{path} is not a file", kind.hint)
            raw = file.read(kind.largest + 1)
    except FileNotFoundError as error:
        raise kind.fault(f"{path} is missing", kind.hint) from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is not valid"
        raise kind.fault(f"{path} cannot be read: {why}", kind.hint) from error
    if len(raw) > kind.largest:
        raise kind.fault(f"{path} is too large: more than {kind.largest} bytes", kind.hint)
    return raw


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record, whole or not at all, replacing an older one. Raises OSError."""
    text = record.model_dump_json(indent=2) + "\n"
    with write_whole(path, replace=True) as part:
        part.write_text(text, encoding="utf-8")


def reason(error: ValidationError) -> str:
    """The first fault of a validation in one short line of printable characters."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = _REASONS.get(first["type"]) or first["msg"].removeprefix("Input ").removeprefix("String ").removeprefix(
        "Value error, "
    )
    if first["type"] == "json_invalid":
        return f"it is not valid JSON ({shown(first['msg'].removeprefix('Invalid JSON: '))})"
    return f"{shown(field)} {shown(message)}" if field else f"it {shown(message)}"


_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "is unknown",
    "unexpected_keyword_argument": "is unknown",
    "finite_number": "should be a finite number",
    "model_type": "should be an object",
    "dataclass_type": "should be an object",
}


def shown(text: str) -> str:
    """Text from outside for use in a message: shortened, with printable characters only."""
    printable = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    return printable if len(printable) <= _MOST_SHOWN else printable[: _MOST_SHOWN - 3] + "..."
