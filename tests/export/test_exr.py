import sys

import numpy as np
import pytest
import torch

from inv3d.core.errors import UsageError
from inv3d.export.exr import openexr, write_depth_exr


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(UsageError) as refused:
        openexr()
    assert "inv3d[exr]" in refused.value.hint


def test_distances_are_kept_as_they_are(tmp_path):
    exr = pytest.importorskip("OpenEXR")
    depth = 2.5 + torch.rand(1, 5, 5, generator=torch.Generator().manual_seed(0))
    alpha = torch.ones(1, 5, 5)
    alpha[0, 0, 3] = 0.2
    path = tmp_path / "depth"
    path.touch()
    write_depth_exr(path, depth, alpha)
    path = path.rename(tmp_path / "depth.exr")
    with exr.File(str(path)) as file:
        assert list(file.channels()) == ["Z"] and "world units" in file.header()["comments"]
        values = file.channels()["Z"].pixels
    expected = depth[0].numpy().copy()
    expected[0, 3] = 0.0
    assert values.dtype == np.float32 and np.array_equal(values, expected)
