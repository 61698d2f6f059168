"""What lies in a folder, to compare before and after."""

import hashlib
from pathlib import Path


def tree(folder: Path) -> dict[str, str]:
    """Every name under `folder` with a digest of its content, or where it points to."""
    return {str(path.relative_to(folder)): _content(path) for path in sorted(folder.rglob("*"))}


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
