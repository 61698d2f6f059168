import dataclasses
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inv3d.core.codes import code_statistics
from inv3d.core.editing.directions import Direction, Directions, component
from inv3d.core.editing.traits import Trait
from inv3d.core.errors import ModelError, UsageError

WEIGHTS = "0123456789abcdef"


def direction(name: str = "smile", span: str | None = "shape", about: str = "a smile") -> Direction:
    axis = torch.tensor([2.0, 0.0, 0.0, 0.0])
    return Direction(name, about, span, axis, axis / 4.0, -0.5, -2.0, 2.0)


def refuse(why: str) -> ModelError:
    return ModelError(f"refused: {why}", "none")


@pytest.fixture
def saved(tmp_path):
    Directions((direction(), direction("age", None, "years"))).save(tmp_path / "d.safetensors", WEIGHTS)
    return tmp_path / "d.safetensors"


def test_a_step_is_one_standard_deviation_of_what_is_read():
    smile, codes = direction(), torch.ones(3, 5, 4)
    assert smile.reading(codes + smile.step) - smile.reading(codes) == pytest.approx(1.0)


def test_saved_directions_come_back(saved):
    again = Directions.load(saved, WEIGHTS, 4, refuse)
    assert again is not None and [(each.name, each.about, each.span) for each in again] == [
        ("smile", "a smile", "shape"), ("age", "years", None)
    ]  # fmt: skip
    assert torch.equal(again["smile"].step, direction().step) and again["age"].limits == direction().limits


def test_saved_traits_come_back(tmp_path):
    axes = torch.eye(4)
    traits = (Trait("hair", "its form", "shape", axes[:1], axes[1:2]), Trait("hair", "its form", "looks", axes[:3], axes[1:]))
    Directions((direction(),), traits).save(tmp_path / "d.safetensors", WEIGHTS)
    found = Directions.load(tmp_path / "d.safetensors", WEIGHTS, 4, refuse)
    assert found is not None
    again = found.traits
    assert [(each.name, each.about, each.span) for each in again] == [("hair", "its form", span) for span in ("shape", "looks")]
    assert all(torch.equal(a.steps, b.steps) and torch.equal(a.normals, b.normals) for a, b in zip(again, traits, strict=True))


def test_traits_without_all_their_rows_are_refused(saved):
    lines, tensors = _lines(saved), load_file(saved)
    lines["traits"] = [{"name": "hair", "about": "", "span": None, "rows": 2}]
    rows = {name: torch.zeros(1, 4) for name in ("trait_steps", "trait_normals")}
    save_file(tensors | rows, saved, {"lines": json.dumps(lines)})
    with pytest.raises(ModelError, match="has shape"):
        Directions.load(saved, WEIGHTS, 4, refuse)


def test_directions_with_a_step_for_each_vector_come_back(tmp_path):
    rows = torch.eye(4)[:3]
    wide = dataclasses.replace(direction("wide", None), step=rows, normal=rows / 2)
    Directions((direction(), wide, direction("age"))).save(tmp_path / "d.safetensors", WEIGHTS)
    again = Directions.load(tmp_path / "d.safetensors", WEIGHTS, 4, refuse)
    assert again is not None
    assert torch.equal(again["wide"].step, rows) and torch.equal(again["wide"].normal, rows / 2)
    assert torch.equal(again["age"].step, direction().step)


def test_more_directions_replace_their_namesakes_only_if_they_may():
    own = Directions((direction(), direction("age", None, "years")))
    more = own.with_more([direction("age", "looks", "days"), direction("hat")], replace=True)
    assert [(each.name, each.about) for each in more] == [("smile", "a smile"), ("age", "days"), ("hat", "a smile")]
    with pytest.raises(UsageError, match="already has a direction 'age'"):
        own.with_more([direction("age")], replace=False)
    with pytest.raises(UsageError, match="two directions 'hat'"):
        own.with_more([direction("hat"), direction("hat")], replace=True)
    with pytest.raises(UsageError, match="at most 256 directions, not 302"):
        own.with_more([direction(f"d-{i}") for i in range(300)], replace=False)


def test_directions_of_other_weights_are_none(saved, tmp_path):
    assert Directions.load(saved, "f" * 16, 4, refuse) is None
    assert Directions.load(tmp_path / "missing.safetensors", WEIGHTS, 4, refuse) is None


def _lines(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["lines"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines["lines"].pop(), "has shape"),
        (lambda lines: lines["lines"][0].update(name="No Name"), "lines.0.name"),
        (lambda lines: lines["lines"][0].update(span="ears"), "lines.0.span"),
        (lambda lines: lines.pop("generator"), "generator is missing"),
    ],
)
def test_words_that_do_not_fit_are_refused(change, said, saved):
    lines, tensors = _lines(saved), load_file(saved)
    change(lines)
    save_file(tensors, saved, {"lines": json.dumps(lines)})
    with pytest.raises(ModelError, match=said):
        Directions.load(saved, WEIGHTS, 4, refuse)


def test_a_file_without_words_is_refused(saved):
    save_file(load_file(saved), saved)
    with pytest.raises(ModelError, match="not valid JSON"):
        Directions.load(saved, WEIGHTS, 4, refuse)


def test_a_damaged_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-20])
    with pytest.raises(ModelError, match="damaged or cut off"):
        Directions.load(saved, WEIGHTS, 4, refuse)
    with pytest.raises(ModelError):
        Directions.load(saved.parent, WEIGHTS, 4, refuse)


@pytest.mark.parametrize(("wrong", "near"), [("smlie", "smile"), ("SMILE", "smile"), ("years", "age")])
def test_an_unknown_name_is_told_with_the_nearest(wrong, near):
    found = Directions((direction(), direction("age", None, "years")))
    with pytest.raises(UsageError, match=f"no direction '{wrong}'") as caught:
        found[wrong]
    assert f"did you mean {near}?" in caught.value.hint and "--list" in caught.value.hint


def test_a_component_is_scaled_by_the_deviation_of_the_codes(demo):
    statistics = code_statistics(demo.generator, demo.info.front, 600, 5)
    first = component(statistics, 0)
    assert first.reading(statistics.mean) == pytest.approx(0.0, abs=1e-4)
    assert first.reading(statistics.mean + 2.0 * first.step) == pytest.approx(2.0, abs=1e-4)
    assert float(first.step.norm()) == pytest.approx(float(statistics.scales[0]), rel=1e-4)
    with pytest.raises(UsageError, match="no component 5") as caught:
        component(statistics, 5)
    assert "0 to 4" in caught.value.hint


def test_the_embedded_model_has_directions_for_its_own_weights(demo):
    assert {"smile", "age", "gender", "beard", "glasses", "hair-length"} <= {each.name for each in demo.directions}
    assert all(0.8 < float(each.step @ each.normal) < 1.05 for each in demo.directions)


def test_directions_of_the_embedded_model_do_not_leak(demo):
    """What smiles does not age, and the other way round: each moves the reading of the other by little."""
    names = ("smile", "age", "weight", "glasses", "hair-length", "dark-skin", "light-left")
    found = [demo.directions[name] for name in names]
    moved = torch.stack([each.step for each in found]) @ torch.stack([each.normal for each in found]).T
    assert float((moved - torch.diag(moved.diag())).abs().max()) < 0.1


def test_loading_puts_them_on_the_device(saved):
    again = Directions.load(saved, WEIGHTS, 4, refuse, "meta")
    assert again is not None and again["smile"].step.device.type == again["smile"].normal.device.type == "meta"
    assert dataclasses.replace(again["smile"]).name == "smile"
