"""What a forced run may replace. Every case compares all files around the output before and after."""

import json
import os
from pathlib import Path

import pytest

from inv3d.core.errors import UsageError
from inv3d.destination import check_destination
from tests.trees import tree


def made(folder: Path) -> Path:
    """An output folder of inv3d, as far as its records tell."""
    (folder / "views").mkdir(parents=True)
    (folder / "mesh.glb").write_text("mesh")
    (folder / "views" / "cameras.json").write_text("{}")
    files = ["mesh.glb", "run.json", "views/cameras.json"]
    (folder / "run.json").write_text(json.dumps({"version": "1", "sha256": "0" * 64, "files": files, "seed": 0}))
    return folder


@pytest.fixture
def place(tmp_path):
    """A folder of photos with an output folder in it; the working folder lies elsewhere."""
    made(tmp_path / "out")
    (tmp_path / "photo.jpg").write_text("photo")
    return tmp_path


def refused(out: Path, words: str, *inputs: Path) -> None:
    before = tree(out.parent)
    with pytest.raises(UsageError, match=words):
        check_destination(out, inputs, replace=True)
    assert tree(out.parent) == before


def test_what_inv3d_made_may_be_replaced_and_only_if_told(place):
    check_destination(place / "new", [place / "photo.jpg"], replace=False)
    check_destination(place / "out", [place / "photo.jpg"], replace=True)
    with pytest.raises(UsageError, match="exists"):
        check_destination(place / "out", [place / "photo.jpg"], replace=False)


def test_an_empty_folder_may_be_replaced(place):
    (place / "empty" / "inside").mkdir(parents=True)
    check_destination(place / "empty", [], replace=True)


def test_an_input_is_never_replaced(place):
    refused(place / "photo.jpg", "is or contains the input", place / "photo.jpg")
    refused(place / "photo.jpg", "never replaced by a folder")


@pytest.mark.parametrize(
    "name",
    ["out/in.jpg", "out/views/in.jpg", "out/../out/in.jpg", "link/in.jpg", "link.jpg", "chain.jpg", "./out//in.jpg"],
)
def test_a_folder_that_holds_an_input_is_never_replaced(place, name, monkeypatch):
    """By whatever name the input is given: through links, `..`, relative, among others."""
    (place / "out" / "in.jpg").write_text("photo")
    (place / "out" / "views" / "in.jpg").write_text("photo")
    (place / "link").symlink_to("out", target_is_directory=True)
    (place / "link.jpg").symlink_to("link/in.jpg")
    (place / "chain.jpg").symlink_to("link.jpg")
    refused(place / "out", "contains the input", place / "photo.jpg", place / name)
    monkeypatch.chdir(place)
    refused(Path("out"), "contains the input", Path(name), Path("photo.jpg"))
    refused(place / "link", "contains the input", place / name)


def test_an_input_by_a_name_in_other_case(place, monkeypatch):
    """On a file system that ignores case, simulated here by a link, the folder has several names."""
    (place / "OUT").symlink_to("out", target_is_directory=True)
    (place / "out" / "in.jpg").write_text("photo")
    refused(place / "out", "contains the input", place / "OUT" / "in.jpg")


def test_the_working_folder_and_all_around_it_stay(place, monkeypatch):
    (place / "out" / "views" / "deep").mkdir()
    for inside in ("out", "out/views", "out/views/deep"):
        monkeypatch.chdir(place / inside)
        refused(place / "out", "working folder")
        refused(Path(os.path.relpath(place / "out")), "working folder")
    refused(Path(), "working folder")
    refused(Path(".."), "working folder")


def test_the_home_folder_and_all_around_it_stay(place, monkeypatch):
    monkeypatch.setenv("HOME", str(place / "out" / "views"))
    monkeypatch.setenv("USERPROFILE", str(place / "out" / "views"))
    refused(place / "out", "home folder")
    refused(place / "out" / "views", "home folder")


def test_a_root_stays():
    with pytest.raises(UsageError, match="never replaced"):
        check_destination(Path(Path.cwd().anchor), [], replace=True)


def test_a_drive_stays(place, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    refused(place / "out", "is a drive")


@pytest.mark.parametrize("name", ["notes.txt", "views/notes.txt", ".hidden", "new/notes.txt", "run.json.bak"])
def test_what_a_person_put_there_is_named(place, name):
    (place / "out" / name).parent.mkdir(exist_ok=True)
    (place / "out" / name).write_text("mine")
    refused(place / "out", f"did not write: {name}")


def test_links_that_a_person_put_there_are_named(place):
    (place / "elsewhere").mkdir()
    (place / "out" / "link").symlink_to("../elsewhere", target_is_directory=True)
    refused(place / "out", "did not write: link")


def test_many_files_are_counted(place):
    for i in range(7):
        (place / "out" / f"{i}.txt").touch()
    refused(place / "out", "0.txt, 1.txt, 2.txt and 4 more")


def test_files_that_systems_put_everywhere_do_not_matter(place):
    (place / "out" / ".DS_Store").touch()
    (place / "out" / "views" / "Thumbs.db").touch()
    (place / "out" / "._mesh.glb").touch()
    check_destination(place / "out", [], replace=True)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"files": []}', '{"version": "1", "files": "run.json"}',
        '{"version": "1", "sha256": "x", "files": ["run.json"]}', "[" * 100_000, '{"version": NaN}',
    ],
)  # fmt: skip
def test_folders_of_others_are_never_replaced(place, text):
    (place / "other").mkdir()
    (place / "other" / "run.json").write_text(text)
    refused(place / "other", "not made by inv3d")


def test_a_folder_without_a_record_is_never_replaced(place):
    (place / "other").mkdir()
    (place / "other" / "mesh.glb").touch()
    refused(place / "other", r"not made by inv3d: .*run\.json is missing")
    os.mkfifo(place / "other" / "run.json")
    with pytest.raises(UsageError, match=r"not made by inv3d: .*not a file"):
        check_destination(place / "other", [], replace=True)


def test_what_is_no_folder_is_never_replaced(place):
    os.mkfifo(place / "pipe")
    (place / "nowhere").symlink_to("nothing")
    for name in ("photo.jpg", "pipe", "nowhere"):
        with pytest.raises(UsageError, match="never replaced by a folder"):
            check_destination(place / name, [], replace=True)
