import os
from dataclasses import dataclass
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from inv3d.core.errors import InputError
from inv3d.core.records import Number, Record, Text, read_record, write_record


@dataclass(frozen=True)
class Part:
    size: Annotated[int, Field(ge=1, le=64)] = 8
    place: tuple[float, float] = (0.0, 0.5)


class Sample(Record):
    name: Text
    part: Part = Part()
    values: Annotated[tuple[Number, ...], Field(max_length=4)] = ()


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = Sample(name="Bärbel", part=Part(3, (1.5, -2.0)), values=(1.0, 2.5))
    write_record(tmp_path / "a.json", record)
    assert read_record(tmp_path / "a.json", Sample) == record
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_what_an_older_version_did_not_write_has_its_default(tmp_path):
    (tmp_path / "a.json").write_text('{"name": "x"}')
    assert read_record(tmp_path / "a.json", Sample) == Sample(name="x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("[1, 2]", "it should be an object"),
        ("3", "it should be an object"),
        ("null", "it should be an object"),
        ('{"name": "x"', "not valid JSON"),
        ("{}", "name is missing"),
        ('{"name": 3}', "name should be a valid string"),
        ('{"name": null}', "name should be a valid string"),
        ('{"name": "x", "nam": 1}', "nam is unknown"),
        ('{"name": "x", "part": {"sice": 1}}', "part.sice is unknown"),
        ('{"name": "x", "part": []}', "part should be an object"),
        ('{"name": "x", "part": {"size": 65}}', "part.size should be less than or equal to 64"),
        ('{"name": "x", "part": {"size": 8.0}}', "part.size should be a valid integer"),
        ('{"name": "x", "part": {"size": true}}', "part.size should be a valid integer"),
        ('{"name": "x", "part": {"size": "8"}}', "part.size should be a valid integer"),
        ('{"name": "x", "part": {"place": [1]}}', "part.place.1 is missing"),
        ('{"name": "x", "part": {"place": [1, NaN]}}', "part.place.1 should be a finite number"),
        ('{"name": "x", "values": [1e999]}', "values.0 should be a finite number"),
        ('{"name": "x", "values": [-Infinity]}', "values.0 should be a finite number"),
        ('{"name": "x", "values": [' + 400 * "9" + "]}", "values.0 should be"),
        ('{"name": "x", "values": [' + 5000 * "9" + "]}", "not valid JSON"),
        ('{"name": "x", "values": [1, 2, 3, 4, 5]}', "values"),
        ('{"name": "' + 5000 * "x" + '"}', "name should have at most 4096 characters"),
        ('{"name": "\\ud800"}', "not valid JSON"),
        ('{"name": ' + 100_000 * "[" + "}", "not valid JSON"),
        ('{"format": 0, "name": "x"}', "format should be greater than or equal to 1"),
        ('{"format": true, "name": "x"}', "format should be a valid integer"),
        ('{"format": 2, "name": "x"}', "newer version"),
        ('{"format": 2, "name": 7, "other": []}', "newer version"),
        ('{"name": "x", "a\\nb\\u001b[31m' + 500 * "c" + '": 1}', r"a\\nb\\x1b\[31mc"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_that_names_the_field(text, said, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_record(tmp_path / "a.json", Sample)
    message = caught.value.message
    assert str(tmp_path / "a.json") in message and message.isprintable() and len(message) < len(str(tmp_path)) + 300


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"name": "\xff"}')
    with pytest.raises(InputError, match="not valid JSON"):
        read_record(tmp_path / "a.json", Sample)


def test_what_is_no_file_of_a_sensible_size_is_refused_without_reading_it(tmp_path):
    with pytest.raises(InputError, match="missing"):
        read_record(tmp_path / "none.json", Sample)
    with pytest.raises(InputError, match=r"directory|not a file"):
        read_record(tmp_path, Sample)
    os.mkfifo(tmp_path / "fifo.json")
    with pytest.raises(InputError, match="not a file"):
        read_record(tmp_path / "fifo.json", Sample)
    (tmp_path / "large.json").write_text(f'{{"name": "x"}}{Sample.largest * " "}')
    with pytest.raises(InputError, match="too large"):
        read_record(tmp_path / "large.json", Sample)
    with pytest.raises(InputError, match="cannot be read"):
        read_record(tmp_path / "a\0.json", Sample)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_record_holds_a_number_that_is_not_finite(value):
    with pytest.raises(ValidationError):
        Sample(name="x", values=(value,))
    with pytest.raises(ValidationError):
        Sample(name="x", part=Part(place=(0.0, value)))


def test_names_that_are_not_utf_8_are_written_as_escapes(tmp_path):
    write_record(tmp_path / "a.json", Sample(name=os.fsdecode(b"caf\xe9")))
    assert read_record(tmp_path / "a.json", Sample).name == "caf\\udce9"


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    write_record(tmp_path / "a.json", Sample(name="old"))
    monkeypatch.setattr(Sample, "model_dump_json", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_record(tmp_path / "a.json", Sample(name="new"))
    monkeypatch.undo()
    assert read_record(tmp_path / "a.json", Sample).name == "old"
