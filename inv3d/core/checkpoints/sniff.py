"""Recognising files that are not checkpoints: pointers, web pages, archives, pictures."""

from __future__ import annotations

from inv3d.core.errors import ModelError

LOOKED_AT = 512
"""First bytes of a file that identify its kind."""

_AGAIN = "download the checkpoint itself"
_OTHER = _AGAIN + ", a .pkl, .pt or .safetensors file"
_MAGIC = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file that it points to",
        "run: git lfs pull, or " + _AGAIN,
    ),
    (b"\x1f\x8b", "compressed with gzip", "unpack it first"),
    (b"BZh", "compressed with bzip2", "unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"\x89HDF", "an HDF5 file", _OTHER),
    (b"\x89PNG", "a picture", _AGAIN),
    (b"\xff\xd8\xff", "a picture", _AGAIN),
    (b"%PDF", "a PDF document", _AGAIN),
    (b"GGUF", "a GGUF file", _OTHER),
    (b"\x93NUMPY", "a NumPy array", _OTHER),
    (b"PK\5\6", "an empty zip archive", _AGAIN),
    (b"MZ", "a program", _AGAIN),
    (b"\x7fELF", "a program", _AGAIN),
    (b"SQLite format 3", "a database", _AGAIN),
    (b"<?xml", "an XML document, perhaps a server's error message", _AGAIN),
)
_TEXT = bytes([*b"\t\n\r", *range(0x20, 0x7F)])
_PAGES = (b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<!--")


def check_start(path: object, start: bytes) -> None:
    """Raises ModelError if the first bytes of the file at `path` are not those of a checkpoint."""
    if not start:
        raise ModelError(f"{path} is empty", _AGAIN + " again")
    if not start.strip(b"\0"):
        raise ModelError(f"{path} starts with {len(start)} zero bytes: an unfinished download", _AGAIN + " again")
    for magic, what, hint in _MAGIC:
        if start.startswith(magic):
            raise ModelError(f"{path} is not a checkpoint: it is {what}", hint)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.lower().startswith(_PAGES):
        raise ModelError(
            f"{path} is not a checkpoint: it is a web page (HTML)",
            "the address leads to a page, perhaps one for login or confirmation; " + _AGAIN,
        )
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or text.translate(None, _TEXT) == b"":
        raise ModelError(f"{path} is not a checkpoint: it is a text file, perhaps a server's error message", _AGAIN)
    if start[4:8] == b"ftyp":
        raise ModelError(f"{path} is not a checkpoint: it is a video or a picture", _AGAIN)
    if start[:1] == b"\x08" and start[2:3] == b"\x12":  # its version, then the name of the program that wrote it
        raise ModelError(f"{path} is not a checkpoint: it is an ONNX file", _OTHER)
    if start[257:262] == b"ustar":
        raise ModelError(f"{path} is a tar archive", "unpack it first")
