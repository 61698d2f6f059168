import io
import pickle
import zipfile

import numpy as np
import pytest
import torch

from inv3d.core.codespace import CodeSpace
from inv3d.core.editing.edits import displaced, make_edit
from inv3d.core.editing.imports import read_directions
from inv3d.core.errors import ModelError, UsageError

LAYERS, DIMS = 5, 8
SPACE = CodeSpace(LAYERS, DIMS)
CODES = torch.randn(500, DIMS, generator=torch.Generator().manual_seed(2)) * torch.linspace(0.5, 2.0, DIMS) + 0.3
ROWS = torch.randn(LAYERS, DIMS, generator=torch.Generator().manual_seed(3))


def read(path, name=None):
    return read_directions(path, CODES, LAYERS, name)


def written(path, value):
    if path.suffix == ".npy":
        np.save(path, value)
    elif path.suffix == ".npz":
        np.savez_compressed(path, **value)
    else:
        torch.save(value, path)
    return path


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("Smile.pt", ROWS),
        ("Smile.pt", {"direction": ROWS[None].double()}),
        ("Smile.pt", [ROWS.half()]),
        ("Smile.npy", ROWS.numpy()),
        ("Smile.npy", ROWS[0].numpy()),
        ("Smile.npz", {"boundary": ROWS[:1].numpy()}),
    ],
)
def test_a_step_is_one_deviation_of_the_models_own_codes(file, value, tmp_path):
    (smile,) = read(written(tmp_path / file, value))
    own = CODES[:, None].expand(-1, LAYERS, -1)
    readings = torch.tensor([smile.reading(code) for code in own])
    assert (smile.name, smile.span) == ("smile", None) and smile.about == f"imported from {file}"
    assert float(readings.mean()) == pytest.approx(0.0, abs=1e-3) and float(readings.std()) == pytest.approx(1.0, abs=1e-3)
    moved = displaced(own[:1], [make_edit(smile, 2.0, own[:1], SPACE)], SPACE)
    assert smile.reading(moved) - smile.reading(own[:1]) == pytest.approx(2.0, abs=1e-2)


def test_layers_of_a_direction_of_w_plus_move_by_their_own_steps(tmp_path):
    (smile,) = read(written(tmp_path / "smile.pt", ROWS))
    codes = CODES[:1, None].expand(-1, LAYERS, -1)
    moved = displaced(codes, [make_edit(smile, 1.0, codes, SPACE, (1, 2))], SPACE) - codes
    assert torch.allclose(moved[0, 1:3], smile.step[1:3], atol=1e-6) and not moved[0, 3:].any()


def test_components_of_ganspace_are_numbered(tmp_path):
    parts = {"lat_comp": ROWS[:3, None].numpy(), "lat_stdev": np.ones(3), "act_comp": np.zeros((2, 4))}
    found = read(written(tmp_path / "stylegan2-ffhq_style_ipca.npz", parts), "pc")
    assert [each.name for each in found] == ["pc-0", "pc-1", "pc-2"]
    assert torch.allclose(torch.nn.functional.cosine_similarity(found[1].step, ROWS[1], 0), torch.tensor(1.0))


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("file", "value", "said"),
    [
        ("a.pt", torch.zeros(3, 3), "has shape"),
        ("a.pt", torch.ones(LAYERS + 1, DIMS), "has shape"),
        ("a.npz", {"lat_comp": np.ones((81, 1, DIMS))}, "components have shape"),
        ("a.npz", {"lat_comp": np.ones((3, 1, DIMS + 1))}, "components have shape"),
        ("a.npy", np.zeros((0, DIMS), np.float32), "has shape"),
        ("a.pt", torch.zeros(LAYERS, DIMS), "hardly differ"),
        ("a.pt", ROWS * torch.tensor(float("nan")), "NaN"),
        ("a.pt", ROWS.long(), "plain floating-point"),
        ("a.pt", torch.zeros(1).expand(1 << 40), "plain floating-point"),
        ("a.pt", ROWS.to_sparse(), "plain floating-point"),
        ("a.pt", {"a": ROWS, "b": ROWS}, "one tensor"),
        ("a.pt", {}, "one tensor"),
        ("a.pt", "words", "one tensor"),
        ("a.pt", Trap(), "more than numbers"),
        ("a.npy", np.array([Trap()], object), "more than numbers"),
        ("a.npz", {"a": ROWS.numpy(), "b": ROWS.numpy()}, "one tensor"),
        ("a.npz", {"lat_comp": np.array([Trap()], object)}, "more than numbers"),
        ("a.npy", np.zeros(DIMS, complex), "plain floating-point"),
    ],
)
def test_other_files_are_refused(file, value, said, tmp_path, capsys):
    with pytest.raises(ModelError, match=said):
        read(written(tmp_path / file, value))
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".pt", ".npy", ".npz"])
def test_damaged_files_are_refused(ending, tmp_path):
    path = tmp_path / f"a{ending}"
    for content in (b"", b"text", pickle.dumps(Trap()), b"\x93NUMPY\x01", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="damaged"):
            read(path)
    whole = written(path, {"a": ROWS.numpy()} if ending == ".npz" else ROWS.numpy() if ending == ".npy" else ROWS)
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ModelError, match="damaged"):
        read(path)


def test_archives_that_unpack_to_much_more_are_refused(tmp_path):
    big = io.BytesIO()
    np.save(big, np.zeros(1 << 24, np.float64))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", big.getvalue())
    with pytest.raises(ModelError, match="damaged, or contains more"):
        read(tmp_path / "a.npz")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(ModelError, match="is missing"):
        read(tmp_path / "a.pt")
    with pytest.raises(ModelError, match="not a file"):
        read(tmp_path)


def test_names_are_made_of_letters_digits_and_hyphens(tmp_path):
    assert read(written(tmp_path / "Bags_Under Eyes.pt", ROWS))[0].name == "bags-under-eyes"
    for path, name in ((tmp_path / "5.pt", None), (tmp_path / "a.pt", "A B")):
        with pytest.raises(UsageError, match="cannot be the name"):
            read(written(path, ROWS), name)
