"""Ctrl-C during `inv3d video`."""

import signal

import pytest

from .commands import MAIN, start


@pytest.mark.parametrize("stage", ["track", "W+", "latents", "tuning", "export"])
def test_ctrl_c_says_how_to_go_on(clip, tmp_path, stage):
    out = tmp_path / "head"
    process = start("video", clip, *MAIN, "--out", out)
    assert process.stdout is not None
    for line in process.stdout:
        if f"] {stage} " in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    # tracking comes first, so nothing is there to go on with
    assert ("nothing was kept" if stage == "track" else "--resume") in errors and "Traceback" not in errors
    assert not out.exists()
