import os
from pathlib import Path

import pytest

from inv3d.core.errors import InputError, UsageError
from inv3d.places import edited_of, find_material, find_photos, output_of, outputs_of
from inv3d.video.material import Photographs, Recording


def touched(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


def test_files_folders_and_patterns_are_found_once_and_in_order(tmp_path):
    a, b, c = touched(tmp_path, "a.JPG", "b.png", "c.webp")
    touched(tmp_path, "notes.txt")
    (tmp_path / "deep.png").mkdir()
    assert find_photos([tmp_path]) == [a, b, c]
    assert find_photos([c, tmp_path / "*.png", tmp_path]) == [c, b, a]
    with pytest.raises(InputError, match=r"x\.png does not exist"):  # before time is spent on the others
        find_photos([a, tmp_path / "x.png"])
    with pytest.raises(InputError, match="no file matches"):
        find_photos([tmp_path / "*.gif"])


def test_what_is_no_photo_is_passed_over(tmp_path):
    photo = touched(tmp_path, "face.jpg")
    touched(
        tmp_path, "._face.jpg", ".DS_Store", "Thumbs.db", ".hidden.png", "clip.mpg", "page.eps", "data.h5", "noending"
    )
    (tmp_path / "face-inv3d").mkdir()
    assert find_photos([tmp_path]) == photo
    assert find_photos([tmp_path / "*.jpg"]) == photo


@pytest.mark.parametrize("name", ["x.heic", "x.HEIF", "x.hif", "x.avif", "x.dng", "x.CR2", "x.jxl", "x.psd", "x.jp2"])
def test_photos_that_perhaps_cannot_be_read_are_never_passed_over(tmp_path, name):
    assert find_photos([tmp_path / touched(tmp_path, name)[0].parent]) == [tmp_path / name]


def test_a_folder_without_photos_is_told_unless_others_have_some(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no photos in the folder"):
        find_photos([tmp_path / "empty"])
    photo = touched(tmp_path, "a.png")
    assert find_photos([tmp_path / "empty", *photo]) == photo


def test_signs_of_patterns_in_names_and_in_folders(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first, second = touched(tmp_path / "one", "x.png") + touched(tmp_path / "two", "x.png")
    assert find_photos([tmp_path / "*" / "x.png"]) == [first, second]
    named = touched(tmp_path, "photo[1].png")
    assert find_photos(named) == named
    with pytest.raises(InputError, match="no file matches"):
        find_photos([tmp_path / "[.png"])
    assert find_photos([tmp_path / "**" / "x.png"]) == [first, second]


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a\0b.png"])
def test_names_that_no_file_has_are_for_the_reader_to_say(tmp_path, name):
    assert find_photos([tmp_path / name]) == [tmp_path / name]


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(InputError, match="cannot be read: permission denied"):
        find_photos([tmp_path])


def test_every_photo_has_a_folder_of_its_own(tmp_path):
    a, b, twin = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.jpg"
    assert outputs_of([a, b], None) == [tmp_path / "a-inv3d", tmp_path / "b-inv3d"]
    assert outputs_of([a], tmp_path / "head") == [tmp_path / "head"]
    assert outputs_of([a, b], tmp_path / "heads") == [tmp_path / "heads/a-inv3d", tmp_path / "heads/b-inv3d"]
    assert [path.name for path in outputs_of([a, b, twin], None)] == ["a.png-inv3d", "b-inv3d", "a.jpg-inv3d"]
    with pytest.raises(UsageError, match="would both be written"):
        outputs_of([tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"], tmp_path / "heads")


def test_long_names_give_folders_that_can_be_made(tmp_path):
    for stem in ("n" * 250, "é" * 125):
        folder = outputs_of([tmp_path / f"{stem}.png"], None)[0]
        (folder.parent / f".{folder.name}.partial-0123456789").mkdir()
        assert folder.name.endswith("-inv3d") and folder.name.startswith(stem[:90])


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_not_utf8(tmp_path):
    photo = tmp_path / os.fsdecode(b"caf\xe9.png")
    photo.touch()
    assert find_photos([tmp_path]) == [photo]
    assert os.fsencode(outputs_of([photo], None)[0].name) == b"caf\xe9-inv3d"


def test_one_file_is_a_clip_and_several_are_photos(tmp_path, clip, monkeypatch):
    assert find_material([clip]) == find_material([clip.parent / "t*.mp4"]) == Recording.of(clip)
    assert output_of([clip], find_material([clip])) == clip.with_name("turn-inv3d")
    photos = touched(tmp_path, "a.JPG", "b.png", "c.heic")
    touched(tmp_path, "notes.txt")
    every = Photographs(tuple(photos))
    for places in ([tmp_path], photos, [tmp_path / "*.[Jph]*"], [photos[0], tmp_path]):
        assert find_material(places) == every
    assert output_of([tmp_path], every) == tmp_path.with_name(tmp_path.name + "-inv3d")
    assert output_of(photos, every) == tmp_path / "a-and-2-more-inv3d"
    monkeypatch.chdir(tmp_path)
    assert output_of([Path()], every) == tmp_path.with_name(tmp_path.name + "-inv3d")
    with pytest.raises(UsageError, match="no place beside the folder /"):
        output_of([Path("/")], every)


def test_what_is_neither_one_clip_nor_several_photos_is_told(tmp_path, clip):
    photo = touched(tmp_path, "a.png")[0]
    with pytest.raises(UsageError, match=r"turn\.mp4 is one of 2 inputs"):
        find_material([photo, clip])
    with pytest.raises(InputError, match="is a single photo") as caught:
        find_material([tmp_path])
    assert "inv3d image" in caught.value.hint
    with pytest.raises(InputError, match=r"b\.png does not exist"):
        find_material([photo, tmp_path / "b.png"])
    with pytest.raises(InputError, match=r"nothing\.mp4 does not exist"):
        find_material([tmp_path / "nothing.mp4"])


def test_an_edited_head_lies_beside_the_head(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert edited_of(Path("turn-inv3d/")) == Path("turn-inv3d-edited")
    assert edited_of(Path()) == tmp_path.with_name(f"{tmp_path.name}-edited")
    monkeypatch.chdir("/")
    with pytest.raises(UsageError, match="no place beside"):
        edited_of(Path())
