"""`inv3d image` as a person types it, and the training of its encoder."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from inv3d import load
from inv3d.core.encoders.kinds import E3DGE, PREIM3D, WTRI
from inv3d.core.training.renders import Renders
from inv3d.core.training.source import PEOPLE
from tests.people import still

from .commands import fails, here, inv3d


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with a photo of a head, one of nothing, and a text that calls itself a photo."""
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(still(13)).save(folder / "head.png")
    Image.fromarray(np.full((120, 160, 3), 99, np.uint8)).save(folder / "grey.jpg")
    (folder / "text.png").write_text("no photo")
    (folder / "._head.png").write_bytes(b"\0\x05\x16\x07")  # what macOS puts beside a file
    return folder


QUICK = ("--preset", "draft", "--encoder", "none", "--refine", "3")


@pytest.fixture(scope="module")
def done(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("heads")
    return inv3d("image", photos, *QUICK, "--out", out), out


def test_good_photos_become_heads_and_bad_ones_do_not_stop_them(done):
    run, out = done
    assert run.returncode == 0, run.stderr
    assert [path.name for path in out.iterdir()] == ["head-inv3d"]
    assert {path.name for path in (out / "head-inv3d").iterdir()} == {
        "head", "views", "orbit.mp4", "mesh.glb", "view.html", "metrics.json", "report.html", "run.json"
    }  # fmt: skip
    lines, table = run.stdout.split("photos 3/3\n")
    assert "no head was found" in lines and "not a picture" in lines and "photos (head.png) 2/3\n" in lines
    states = {cells[1].strip(): cells[-2].strip() for row in table.splitlines() if len(cells := row.split("│")) > 2}
    assert states == {"head.png": "made", "grey.jpg": "failed", "text.png": "failed"}
    facts = json.loads((out / "head-inv3d" / "run.json").read_text())
    assert facts["refine"] == 3 and facts["encoder"] == "none" and abs(facts["yaw_degrees"]) < 30
    assert "The photo shows the head from" in (out / "head-inv3d" / "report.html").read_text()


def test_a_photo_goes_through_the_encoder_unless_told_otherwise(photos, tmp_path):
    run = inv3d("image", photos / "head.png", "--preset", "draft", "--out", tmp_path / "head")
    assert run.returncode == 0, run.stderr
    assert "export view 7/7" in run.stdout and "the photo's own view (yaw " in run.stdout and "warning" not in run.stdout
    assert "with --refine 100 --tune 100" in run.stdout
    facts = json.loads((tmp_path / "head" / "run.json").read_text())
    assert facts["encoder"] == PREIM3D and facts["refine"] == facts["tune"] == 0
    assert "encoder preim3d" in (tmp_path / "head" / "report.html").read_text()
    assert load_file(tmp_path / "head" / "head" / "codes.safetensors")["codes"].shape[0] == 1
    assert facts["means"]["fit"]["psnr"] > 15


def test_a_photo_goes_through_the_passes_into_w_tri(photos, tmp_path):
    run = inv3d("image", photos / "head.png", "--preset", "draft", "--encoder", "wtri", "--out", tmp_path / "head")
    assert run.returncode == 0, run.stderr
    facts = json.loads((tmp_path / "head" / "run.json").read_text())
    assert facts["encoder"] == WTRI and facts["means"]["fit"]["psnr"] > 15
    assert load_file(tmp_path / "head" / "head" / "codes.safetensors")["wtri"].shape == (1, 18, 256)


def test_finished_photos_are_passed_over_and_never_overwritten(done, photos):
    out = done[1]
    before = (out / "head-inv3d" / "run.json").read_bytes()
    fails(2, "exists", "image", photos, *QUICK, "--out", out)
    again = here("image", photos, *QUICK, "--out", out, "--resume", "--json")
    records = {record["photo"]: record for record in json.loads(again.stdout)["photos"]}
    assert again.returncode == 0 and records[str(photos / "head.png")]["skipped"]
    assert "error" in records[str(photos / "grey.jpg")]
    assert (out / "head-inv3d" / "run.json").read_bytes() == before


def test_what_cannot_be_used_is_told_in_one_line(photos, tmp_path):
    fails(3, "no head was found", "image", photos / "grey.jpg", "--encoder", "none")
    fails(3, "none of the 2 photos", "image", photos / "grey.jpg", photos / "text.png", "--encoder", "none")
    fails(3, "does not exist", "image", photos / "head.png", tmp_path / "x.png", "--encoder", "none")
    assert not here("image", tmp_path / "x.png").stdout  # neither an estimate nor a table
    fails(3, "no photos in the folder", "image", tmp_path)
    fails(2, "no encoder 'e4e'", "image", photos / "head.png", "--encoder", "e4e")
    fails(2, "is not a head", "image", photos / "head.png", "--head", "left")
    fails(3, "there is no head 2", "image", photos / "head.png", "--encoder", "none", "--head", "2")
    fails(2, "is not a whole number", "image", photos / "head.png", "--encoder", "none", "--refine", "-1")
    fails(4, "no model named", "image", photos / "head.png", "--model", "ffhq")
    assert not list(photos.glob("*-inv3d*"))


def test_a_method_makes_a_head_that_offers_what_any_head_does(photos, tmp_path):
    short = ("--preset", "draft", "--refine", "8", "--tune", "2")
    run = inv3d("image", photos / "head.png", "--method", "3dinv", "--warping", "1", *short, "--out", tmp_path / "head")
    assert run.returncode == 0, run.stderr
    facts = json.loads((tmp_path / "head" / "run.json").read_text())
    assert (facts["method"], facts["camera"], facts["encoder"]) == ("3dinv", "free", PREIM3D)
    assert (facts["refine_pose"], facts["refine"], facts["tune"]) == (8, 8, 2)
    codes = load_file(tmp_path / "head" / "head" / "codes.safetensors")["codes"]
    assert bool((codes == codes[:, :1]).all())
    assert "method 3dinv (camera free), encoder preim3d" in (tmp_path / "head" / "report.html").read_text()
    older = load(tmp_path / "head").edited({"age": 1.0})
    assert older.render(yaw=30, resolution=32).size == (32, 32)


def test_methods_and_options_that_do_not_go_together_are_told_in_one_line(photos):
    head = photos / "head.png"
    fails(2, "no method 'sg3'", "image", head, "--method", "sg3")
    fails(2, "does not start with --encoder e3dge", "image", head, "--method", "3dinv", "--encoder", "e3dge")
    fails(2, "belongs to a method", "image", head, "--camera", "free")
    fails(2, "fixed is not free or given", "image", head, "--method", "3dinv", "--camera", "fixed")
    fails(2, "is not a number", "image", head, "--method", "3dinv", "--warping", "much")
    fails(2, "--space wtri does nothing without steps on the code", "image", head, "--space", "wtri")
    fails(2, "z is not w, w+ or wtri", "image", head, "--refine", "1", "--space", "z")
    assert not list(photos.glob("*-inv3d*"))


@pytest.fixture
def shards(demo, tmp_path):
    """Small pictures of both domains, so that none are drawn."""
    small = Renders("samples", 80_000, 8, 2, 24, 0.7, 0.3, 1.0)
    small.draw(demo, tmp_path, 1, lambda line: None)
    drawn = load_file(tmp_path / "samples-0000.safetensors")
    drawn["z"] = drawn["z"][:, : PEOPLE.identity_dim].contiguous()
    save_file(drawn, tmp_path / "images-0000.safetensors")
    return tmp_path


@pytest.mark.parametrize(("recipe", "processes"), [(PREIM3D, 1), (PREIM3D, 2), (E3DGE, 2), (WTRI, 1)])
def test_an_encoder_is_trained_in_one_process_or_several(shards, recipe, processes):
    module = ("-m", "torch.distributed.run", "--nproc-per-node", str(processes), "-m", "inv3d")
    start = ("-m", "inv3d") if processes == 1 else module
    command = [sys.executable, *start, "train", "encoder", "--recipe", recipe, "--folder", str(shards)]
    command += ["--scale", "0.0005", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote ") == 1
    assert done.stdout.count("GB of memory at most") == 1
    assert len(load_file(shards / f"{recipe}.safetensors")) > 100
    assert Image.open(shards / "grid.png").size == {PREIM3D: (5 * 24, 6 * 24), E3DGE: (5 * 24, 3 * 24), WTRI: (5 * 24, 6 * 24)}[recipe]
