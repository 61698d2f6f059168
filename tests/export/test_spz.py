import gzip
import math
import struct

import numpy as np
import pytest
import trimesh

from inv3d.core.errors import Inv3dError, UsageError
from inv3d.export import spz as module
from inv3d.export.splats import Splats, splats_of
from inv3d.export.spz import write_spz
from tests.export.textures import ball


def read(data: bytes) -> list[dict[str, np.ndarray | float]]:
    """The splats of a version 2 file, one value after the other, as the format's description has it."""
    body = gzip.decompress(data)
    magic, version, count, degree, bits, flags, reserved = struct.unpack("<IIIBBBB", body[:16])
    assert (magic, version, degree, flags, reserved) == (0x5053474E, 2, 0, 0, 0)
    assert len(body) == 16 + count * (9 + 1 + 3 + 3 + 3)
    alphas, colors, scales, rotations = (16 + count * offset for offset in (9, 10, 13, 16))
    found = []
    for i in range(count):
        axes = [body[16 + 9 * i + 3 * axis :][:3] for axis in range(3)]
        x, y, z = (body[rotations + 3 * i + axis] / 127.5 - 1 for axis in range(3))
        w = math.sqrt(max(0.0, 1 - x * x - y * y - z * z))
        size = np.exp([body[scales + 3 * i + axis] / 16 - 10 for axis in range(3)])
        turn = trimesh.transformations.quaternion_matrix([w, x, y, z])[:3, :3]
        dc = [(body[colors + 3 * i + channel] / 255 - 0.5) / 0.15 for channel in range(3)]
        found.append(
            {
                "center": np.array([int.from_bytes(each, "little", signed=True) / (1 << bits) for each in axes]),
                "color": 0.5 + 0.28209479 * np.array(dc),
                "opacity": body[alphas + i] / 255,
                "spread": turn @ np.diag(size**2) @ turn.T,
            }
        )
    return found


@pytest.mark.parametrize("factor", [0.03, 1.0, 50.0])
def test_splats_are_kept_at_any_size(tmp_path, factor):
    splats = splats_of(ball(2)).scaled(factor)
    write_spz(splats, tmp_path / "head.spz")
    made = read((tmp_path / "head.spz").read_bytes())
    assert len(made) == len(splats)
    for i, splat in enumerate(made):
        assert np.abs(splat["center"] - splats.centers[i]).max() < 1e-5 * max(factor, 0.2)
        assert splat["color"] == pytest.approx(splats.colors[i], abs=0.005)
        assert splat["opacity"] == pytest.approx(splats.opacities[i], abs=0.003)
        spread = splats.axes[i] @ np.diag(splats.scales[i] ** 2) @ splats.axes[i].T
        assert np.abs(splat["spread"] - spread).max() < 0.08 * spread.max()


def test_no_turn_is_imprecise():
    """Half turns are the worst for quaternions without w."""
    for angle in (170.0, 180.0, 190.0):
        axes = trimesh.transformations.rotation_matrix(math.radians(angle), [1, 2, 3])[:3, :3][None]
        x, y, z = module._quaternions(axes)[0]
        assert 1 - x * x - y * y - z * z >= 0.25 - 1e-9
        turn = trimesh.transformations.quaternion_matrix([math.sqrt(1 - x * x - y * y - z * z), x, y, z])[:3, :3]
        assert np.abs(np.abs(np.einsum("ik,ik->k", turn, axes[0])) - 1).max() < 1e-9  # the same axes, either way round


def test_nothing_is_replaced_unless_it_may(tmp_path):
    path = tmp_path / "head.spz"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_spz(splats_of(ball(1)), path)
    assert path.read_text() == "mine"
    write_spz(splats_of(ball(1)), path, replace=True)
    assert len(read(path.read_bytes())) == 80


def changed(splats: Splats, part: str) -> Splats:
    every = np.arange(len(splats)) > (part == "count")
    fewer = Splats(*(getattr(splats, name)[every] for name in Splats.__dataclass_fields__))
    return fewer.scaled(1.01) if part == "size" else fewer


@pytest.mark.parametrize("part", ["count", "size"])
def test_a_file_that_holds_something_else_is_noticed(tmp_path, monkeypatch, part):
    whole = module._spz
    monkeypatch.setattr(module, "_spz", lambda splats: whole(changed(splats, part)))
    with pytest.raises(Inv3dError, match="does not contain what was written"):
        write_spz(splats_of(ball(1)), tmp_path / "head.spz")
    assert list(tmp_path.iterdir()) == []
