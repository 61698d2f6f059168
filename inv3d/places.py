"""Paths of clips, photos and their output folders: files, folders and patterns."""

from __future__ import annotations

import glob
import mimetypes
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from inv3d.core.errors import InputError, UsageError
from inv3d.video.material import Material, Photographs, Recording
from inv3d.video.picture import photo_endings

_LONGEST_NAME = (
    200  # bytes of an output folder's name; file systems allow 255, and unfinished folders have longer names
)
_VIDEO_ENDINGS = (".3gp", ".mkv", ".mts", ".m2ts", ".ts")
"""Of videos, where the system calls them something else or does not know them."""


def find_photos(places: Iterable[Path]) -> list[Path]:
    """The photos that are meant by files, folders and patterns, in order, each once.

    Photos that cannot be read here are among them, so that they are named; hidden files, such as the `._` sidecars of
    macOS, are not. Raises InputError if there are none, if a file does not exist, if a pattern fits nothing, or if a folder
    cannot be read.
    """
    found: list[Path] = []
    empty: Path | None = None
    for place in places:
        if _is_folder(place):
            inside = _photos_in(place)
            empty = place if not inside else empty
            found += inside
        elif any(sign in str(place) for sign in "*?[") and not _exists(place):
            found += _fitting(place)
        else:
            refuse_missing(place)
            found.append(place)
    if empty is not None and not found:
        raise InputError(f"there are no photos in the folder {empty}", "name a folder with PNG or JPEG files")
    return list(dict.fromkeys(found))


def find_material(places: list[Path]) -> Material:
    """What `inv3d video` is given: one clip, or several photographs as files, folders and patterns.

    Raises UsageError for several clips, InputError if a file does not exist or cannot be used.
    """
    if len(places) == 1 and not _is_folder(places[0]) and _exists(places[0]):
        return Recording.of(places[0])
    photos = find_photos(places)
    for path in photos:
        if is_video(path):
            if len(photos) == 1:
                return Recording.of(path)
            raise UsageError(
                f"{path} is one of {len(photos)} inputs, but looks like a video",
                "name one clip, or several photos of one person; for several clips: inv3d batch",
            )
    if len(photos) == 1:
        raise InputError(f"{photos[0]} is a single photo", "use: inv3d image")
    return Photographs(tuple(photos))


def is_video(path: Path) -> bool:
    """Whether a file looks like a video by its ending."""
    return path.suffix.lower() in _VIDEO_ENDINGS or (mimetypes.guess_type(path.name)[0] or "").startswith("video/")


def find_inputs(folder: Path) -> list[Path]:
    """The clips and photos in a folder, in order, without hidden files. Raises InputError if there are none, or if the
    folder cannot be read."""
    photos = photo_endings()
    found = [path for path in _inside(folder) if (path.suffix.lower() in photos or is_video(path)) and _is_plain(path)]
    if not found:
        raise InputError(f"there are no clips or photos in the folder {folder}", "name a folder with clips, such as MP4 files")
    return found


def output_of(places: list[Path], material: Material) -> Path:
    """The output folder of a clip, of a folder of photos, or of several photos: beside it, or beside the first of them.

    Raises UsageError if there is no place beside it.
    """
    first = material.files[0]
    if len(places) == 1 and _is_folder(places[0]):
        folder = Path(os.path.abspath(places[0]))  # noqa: PTH100 - keeps links
        if not folder.name:
            raise UsageError(f"there is no place beside the folder {folder}", "name an output folder with --out")
        return folder.with_name(_shortened(folder.name) + "-inv3d")
    more = "" if len(material.files) == 1 else f"-and-{len(material.files) - 1}-more"
    return first.with_name(_shortened(first.stem) + more + "-inv3d")


def edited_of(head: Path, ending: str = "") -> Path:
    """The output folder of an edited head, or the file of its pictures with this `ending`: beside it. Raises UsageError if
    there is no place beside it."""
    folder = Path(os.path.abspath(head)) if head.name in ("", "..") else head  # noqa: PTH100 - keeps links
    if not folder.name:
        raise UsageError(f"there is no place beside the folder {folder}", "name an output folder with --out")
    return folder.with_name(f"{folder.name}-edited{ending}")


def title_of(head: Path) -> str:
    """The name of an output folder, also if it is given as `.`, or as its folder `head`."""
    folder = Path(os.path.abspath(head))  # noqa: PTH100 - keeps links
    return folder.parent.name if folder.name == "head" else folder.name


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except (OSError, ValueError):  # left to the reader to report
        return False


def refuse_missing(place: Path) -> None:
    """Raises InputError if there is certainly no such file; other faults are left to the reader to report."""
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{place} does not exist", "check the path") from error
    except (OSError, ValueError):
        pass


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except (OSError, ValueError):
        return False


def _photos_in(folder: Path) -> list[Path]:
    photos = photo_endings()
    return [path for path in _inside(folder) if path.suffix.lower() in photos and _is_plain(path)]


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"the folder {folder} cannot be read: {reason}", "check its permissions") from error


def _is_plain(path: Path) -> bool:
    return not path.name.startswith(".") and not _is_folder(path)


def _fitting(pattern: Path) -> list[Path]:
    """Files that match a pattern, which some shells do not expand."""
    inside = [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]  # noqa: PTH207 - skips hidden files, takes any pattern
    found = [path for path in inside if not _is_folder(path)]
    if not found:
        raise InputError(f"no file matches {pattern}", "check the pattern")
    return found


def outputs_of(photos: list[Path], out: Path | None) -> list[Path]:
    """The output folder of each photo: beside it, or `out` (for several photos a folder in `out`).

    Raises UsageError if two photos would share one.
    """
    if out is not None and len(photos) == 1:
        return [out]
    folders = [(photo.parent if out is None else out) / name for photo, name in zip(photos, names_of(photos), strict=True)]
    refuse_twins(photos, folders, "rename one of them")
    return folders


def names_of(inputs: Sequence[Path]) -> list[str]:
    """The names of the output folders of several inputs. Those that differ in nothing but their ending, such as a camera's
    raw file and JPEG, keep it."""
    stems = [os.path.normcase(path.parent / path.stem) for path in inputs]
    alike = Counter(stems)
    return [
        f"{_shortened(path.stem if alike[stem] == 1 else path.name)}-inv3d" for path, stem in zip(inputs, stems, strict=True)
    ]


def refuse_twins(inputs: Sequence[Path], folders: Sequence[Path], hint: str) -> None:
    """Raises UsageError if two inputs would share an output folder."""
    taken: dict[str, Path] = {}
    for path, folder in zip(inputs, folders, strict=True):
        twin = taken.setdefault(os.path.normcase(folder.absolute()), path)
        if twin is not path:
            raise UsageError(f"{twin} and {path} would both be written to {folder}", hint)


def _shortened(stem: str) -> str:
    """The beginning of a name, short enough for file systems with everything that is added to it."""
    while len(os.fsencode(stem)) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem
