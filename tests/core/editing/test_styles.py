import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inv3d.core.editing import styles
from inv3d.core.editing.edits import style_edit, style_strength
from inv3d.core.editing.styles import Style, faded, load_style, save_style, style_file, style_names
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.config import CanonicalConfig
from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack
from inv3d.core.library import model_folder
from inv3d.export.mesh import extract_mesh
from inv3d.export.sheet import code_of
from tests.people import FOLDER
from tests.tiny import CONFIG

PRINT = "0" * 16
MATRIX, PLANES, BIAS = "backbone.synthesis.b16.conv0.weight", "canonical.planes", "decoder.net.0.bias"


@pytest.fixture(scope="module")
def generator() -> TriplaneGenerator:
    torch.manual_seed(0)
    config = replace(CONFIG, canonical=CanonicalConfig(resolution=16, channels=4))
    return TriplaneGenerator(config).eval().requires_grad_(False)


def refuse(why: str) -> ModelError:
    return ModelError(f"the style cannot be used: {why}", "")


@pytest.fixture
def changes(generator: TriplaneGenerator) -> dict[str, torch.Tensor]:
    """A matrix that changes by a product of narrow ones, planes on a coarse grid, and a bias."""
    random = torch.Generator().manual_seed(1)
    shape = generator.state_dict()[MATRIX].shape
    narrow = torch.randn(shape[0], 2, generator=random) @ torch.randn(2, shape[1:].numel(), generator=random)
    planes = torch.randn(3, 4, 8, 8, generator=random)
    return {MATRIX: narrow.reshape(shape), PLANES: planes, BIAS: torch.randn(64, generator=random)}


def test_a_style_comes_back_and_its_file_is_small(generator, changes, tmp_path):
    path = style_file(tmp_path, "toon")
    save_style(path, "a stylised head", changes, PRINT)
    assert style_names(tmp_path) == ["toon"]
    with safe_open(path, "pt") as file:
        sizes = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    assert sizes[MATRIX + ":left"] == ("F16", [16, 2]) and sizes[PLANES + ":coarse"] == ("U8", [3, 4, 8, 8])
    style = load_style(tmp_path, "toon", generator, PRINT, refuse)
    assert (style.name, style.about) == ("toon", "a stylised head")
    assert torch.allclose(style.changes[MATRIX], changes[MATRIX], atol=0.02)
    assert torch.allclose(style.changes[BIAS], changes[BIAS], atol=1e-3)
    fine = torch.nn.functional.interpolate(changes[PLANES], (16, 16), mode="bilinear", align_corners=False)
    assert float((style.changes[PLANES] - fine).abs().max()) < 0.51 * float(changes[PLANES].abs().max()) / 127


def test_half_a_style_is_half_way_and_leaves_the_generator_alone(generator):
    before = generator.state_dict()[BIAS].clone()
    style = Style("toon", "", {BIAS: torch.ones(64)})
    half, whole = style.on(generator, 0.5), style.on(generator, 1.0)
    assert torch.equal(generator.state_dict()[BIAS], before)
    assert torch.allclose(half.state_dict()[BIAS], before + 0.5) and torch.allclose(whole.state_dict()[BIAS], before + 1.0)


def test_tuning_fades_towards_the_base(generator):
    tuned = Style("", "", {BIAS: torch.ones(64)}).on(generator, 1.0)
    base = generator.state_dict()[BIAS]
    assert torch.allclose(faded(tuned, generator, 0.25).state_dict()[BIAS], base + 0.25)
    assert faded(tuned, generator, 1.0) is tuned and faded(generator, generator, 0.5) is generator


def test_unknown_styles_are_refused_with_those_there_are(generator, changes, tmp_path):
    with pytest.raises(UsageError, match="has no style 'toon'") as none:
        load_style(tmp_path, "toon", generator, PRINT, refuse)
    assert "demo" in none.value.hint
    save_style(style_file(tmp_path, "toon"), "", changes, PRINT)
    for name in ("tune", "../toon", ""):
        with pytest.raises(UsageError, match="has no style") as caught:
            load_style(tmp_path, name, generator, PRINT, refuse)
        assert caught.value.hint == "use toon"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {name: each for name, each in t.items() if name != MATRIX + ":right"}, "is missing"),
        (lambda t: {name: each for name, each in t.items() if name != PLANES + ":scale"}, "is missing"),
        (lambda t: t | {MATRIX + ":right": t[MATRIX + ":right"][:1]}, "do not fit together"),
        (lambda t: t | {PLANES + ":coarse": t[PLANES + ":coarse"].float()}, "not U8"),
        (lambda t: t | {"more": torch.ones(1)}, "more is unknown"),
        (lambda t: t | {BIAS: t[BIAS][:-1]}, "has shape"),
    ],
)
def test_damaged_styles_are_refused(change, said, generator, changes, tmp_path):
    path = style_file(tmp_path, "toon")
    save_style(path, "", changes, PRINT)
    with safe_open(path, "pt") as file:
        text = file.metadata()
    tensors = {name: each.contiguous() for name, each in change(load_file(path)).items()}
    save_file(tensors, path, metadata=text)
    with pytest.raises(ModelError, match=said):
        load_style(tmp_path, "toon", generator, PRINT, refuse)


def test_styles_of_other_weights_are_refused(generator, changes, tmp_path):
    path = style_file(tmp_path, "toon")
    save_style(path, "", changes, "1" * 16)
    with pytest.raises(ModelError, match="another version"):
        load_style(tmp_path, "toon", generator, PRINT, refuse)
    save_file({BIAS: torch.ones(64)}, path, metadata={styles._KEY: json.dumps({"generator": "?"})})
    with pytest.raises(ModelError, match="cannot be used"):
        load_style(tmp_path, "toon", generator, PRINT, refuse)


def test_a_head_wears_no_more_than_a_whole_style():
    style, codes = Style("toon", "", {}), torch.zeros(2, 5, 4)
    half = style_edit(style, 0.5, [], codes)
    assert (str(half), half.first, half.last) == ("toon=+0.5", 0, 4) and not half.displacement.any()
    assert style_strength([half, style_edit(style, 0.5, [half], codes), style_edit(style, -1.0, [half, half], codes)]) == 0.0
    for strength in (0.6, -0.6):
        with pytest.raises(UsageError, match=re.escape("this head is at 0.5")) as caught:
            style_edit(style, strength, [half], codes)
        assert caught.value.hint == "use a strength from -0.5 to 0.5"


def test_the_shipped_toons_are_those_of_the_same_people(demo):
    """Exact stylised heads of people that the training has not seen (`benchmarks/make_test_pictures.py` draws them): the
    style is nearer to them than the people are, and to its own nearest of all."""
    seeds, camera = (500, 501, 503, 508), demo.info.camera(torch.tensor([0.3]), torch.tensor([0.05]))
    paths = [FOLDER / f"toon-{seed}.png" for seed in seeds]
    exact = torch.stack([torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) / 127.5 - 1.0 for path in paths])
    styled = demo.style("toon").on(demo.generator, 1.0)

    def errors(generator: TriplaneGenerator) -> torch.Tensor:
        """Mean squared differences [4,4] of renders and exact heads."""
        renders = torch.cat([generator(code_of(demo, seed), camera, 64).image for seed in seeds])
        return (renders[:, None] - exact[None]).square().mean((2, 3, 4)) / 4.0

    plain, worn = errors(demo.generator).diagonal(), errors(styled)
    assert (worn.diagonal() < 0.5 * plain).all() and (worn.argmin(1) == torch.arange(4)).all()
    assert float(-10.0 * worn.diagonal().mean().log10()) > 19.0


def test_the_shipped_toons_are_whole_heads_in_a_small_file(demo):
    folder = model_folder("demo")
    assert style_file(folder, "toon").stat().st_size < 6e6
    assert sum(path.stat().st_size for path in folder.iterdir()) < 45e6
    track = LatentTrack(code_of(demo, 500), torch.zeros(1))
    head = Head(demo.generator, track, demo, (-0.5, 0.5))
    toon = head.edited([style_edit(demo.style("toon"), 1.0, [], head.wplus)])
    mesh = extract_mesh(toon, 96)
    assert mesh.is_watertight and mesh.body_count == 1
    assert np.abs(extract_mesh(head, 96).extents - mesh.extents).max() > 0.01
