import json

import pytest

from inv3d.cli.manifest import Known, Row, rows_of
from inv3d.core.errors import InputError, UsageError

KNOWN = Known(("views", "latents", "preset"), ("out", "device", "force"))


def manifest(folder, text, name="jobs.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(folder, text, words, name="jobs.csv", kind=UsageError):
    with pytest.raises(kind) as caught:
        rows_of([manifest(folder, text, name)], KNOWN)
    assert words in caught.value.message, caught.value.message
    return caught.value.hint


def test_clips_and_photos_of_a_folder_a_pattern_and_files(tmp_path):
    for name in ("b.mp4", "a.MOV", "c.mkv", "d.jpg", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "folder.mp4").mkdir()
    inside = [row.inputs for row in rows_of([tmp_path], KNOWN)]
    assert inside == [(str(tmp_path / name),) for name in ("a.MOV", "b.mp4", "c.mkv", "d.jpg")]
    assert [row.inputs for row in rows_of([tmp_path / "?.mp4"], KNOWN)] == [(str(tmp_path / "b.mp4"),)]
    with pytest.raises(InputError, match=r"none\.mp4 does not exist"):
        rows_of([tmp_path / "b.mp4", tmp_path / "none.mp4"], KNOWN)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no clips or photos"):
        rows_of([tmp_path / "empty"], KNOWN)
    with pytest.raises(InputError, match="no file matches"):
        rows_of([tmp_path / "*.webm"], KNOWN)


TABLE = "input,views,latents,out,command\na.mp4,9,true,anna,\n\n  sub/b.mp4 ,,,,video\n"


@pytest.mark.parametrize(
    "text", [TABLE, TABLE.replace(",", ";"), "\ufeff" + TABLE.replace("\n", "\r\n"), TABLE.replace("a.mp4", '"a.mp4"')]
)
def test_a_table_has_a_row_for_each_head(tmp_path, text):
    first, second = rows_of([manifest(tmp_path, text)], KNOWN)
    assert first == Row((str(tmp_path / "a.mp4"),), {"views": "9", "latents": "true"}, "anna", "", "jobs.csv, row 2")
    assert second.command == "video" and second.options == {} and second.place == "jobs.csv, row 4"


def test_tabs_separate_too(tmp_path):
    (row,) = rows_of([manifest(tmp_path, TABLE.split("\n\n")[0].replace(",", "\t"), "jobs.tsv")], KNOWN)
    assert row.options["views"] == "9"


def test_json_lines_say_the_same(tmp_path):
    lines = [
        {"input": "a.mp4", "views": 9, "latents": True, "preset": None, "out": "anna"},
        {"input": ["l.jpg", "r.jpg"], "latents": False},
    ]
    text = json.dumps(lines[0]) + "\n\n" + json.dumps(lines[1])
    first, second = rows_of([manifest(tmp_path, text, "jobs.jsonl")], KNOWN)
    assert first == Row((str(tmp_path / "a.mp4"),), {"views": "9", "latents": "true"}, "anna", "", "jobs.jsonl, row 1")
    assert second.inputs == (str(tmp_path / "l.jpg"), str(tmp_path / "r.jpg")) and second.options == {"latents": "false"}


def test_an_unknown_column_is_named_with_its_row(tmp_path):
    assert "views" in refused(tmp_path, "input,veiws\na.mp4,9\n", "jobs.csv, row 2, column veiws: there is no such option")
    assert "columns are input" in refused(tmp_path, "input,zoom\na.mp4,\n", "row 2, column zoom")
    assert "batch --force" in refused(tmp_path, "input,force\na.mp4,true\n", "row 2, column force: this option is for the whole")
    text = '{"input": "a.mp4"}\n{"input": "b.mp4", "presets": "draft"}'
    assert "preset" in refused(tmp_path, text, "jobs.jsonl, row 2, column presets", "jobs.jsonl")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column input"), ("views\n9\n", "row 1: there is no column input"), ("input\n", "has no rows"),
        ("input,views\na.mp4\n", "row 2 has 1 cells, not 2"), ("input,views\na.mp4,9,8\n", "row 2 has 3 cells, not 2"),
        ("input,views,views\na,1,2\n", "two columns views"), ("input,views\n ,9\n", "row 2, column input: there is no path"),
        ("input,command\na.mp4,film\n", "row 2, column command: 'film' is not a command"), ('input\n"a\n', "is not a table"),
        (b"input\n\xff.mp4\n", "not a text in UTF-8"), ("input\na\x00.mp4\n", "jobs.csv"), ("input\n" + "a" * 300, "column input: aaa"),
        ("input,out\na.mp4," + "a/" * 2000, "column out: a/a"), ("input\n" + "a" * 200_000, "is not a table"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used(tmp_path, text, words):
    refused(tmp_path, text, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "row 1 is not JSON"), ("[]", "row 1 is not a JSON object"), ("[" * 100_000, "row 1 is not JSON"), ("\n", "has no rows"),
        ('{"input": 3}', "column input"), ('{"input": []}', "column input"), ('{"input": ["a", 3]}', "column input"),
        ('{"views": 3}', "column input"), ('{"input": "a", "views": [3]}', "column views: a list or an object"),
        ('{"input": "a\\u0000"}', "column input: a\\x00 is neither"), ('{"input": "\\ud800"}', "column input: \\ud800 is neither"),
        ('{"input": "a", "preset": "\\u0000"}', "column preset"), ('{"input": ["a"' + ', "a"' * 1000 + "]}", "more than 1000 photos"),
    ],
)  # fmt: skip
def test_json_lines_that_cannot_be_used(tmp_path, text, words):
    refused(tmp_path, text, words, "jobs.jsonl")


def test_a_manifest_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        rows_of([tmp_path / "none.csv"], KNOWN)
