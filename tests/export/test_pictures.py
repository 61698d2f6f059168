import base64
import io
from pathlib import Path

import torch
from imageio.v3 import imread

from inv3d.core.views import to_array
from inv3d.export.pictures import column, data_uri, row, save_png


def test_values_become_bytes():
    image = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0]).reshape(1, 1, 5).expand(3, 1, 5)
    assert to_array(image)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_files_and_inline_pictures_hold_the_same(tmp_path):
    image = torch.rand(3, 8, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    save_png(tmp_path / "a.png", image)
    inline = imread(io.BytesIO(base64.b64decode(data_uri(image).split(",")[1])))
    assert (imread(tmp_path / "a.png") == inline).all() and (inline == to_array(image)).all()


def test_rows_and_columns():
    a, b = torch.zeros(3, 4, 5), torch.ones(3, 4, 5)
    assert row([a, b]).shape == (3, 4, 10) and column([a, b]).shape == (3, 8, 5)


def test_a_tilde_is_a_name_like_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("~", "home"):
        (tmp_path / name).mkdir()
    save_png(Path("~/a.png"), torch.zeros(3, 4, 4))
    assert [path.name for path in tmp_path.rglob("*.png")] == ["a.png"] and (tmp_path / "~" / "a.png").exists()
