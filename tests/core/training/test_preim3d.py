import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inv3d.core.encoders.kinds import ENCODERS, INGREDIENTS, PREIM3D
from inv3d.core.encoders.pyramid import EncoderConfig, build_encoder, small_config
from inv3d.core.encoders.store import load_encoder, save_encoder
from inv3d.core.errors import InputError
from inv3d.core.training import encoders, job, outside, preim3d
from inv3d.core.training.dataset import load_images, write_shard
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.preim3d import SMALL, EncoderRecipe, EncoderTrainer
from inv3d.core.training.renders import Renders
from inv3d.core.views import Views
from tests.core.training.stopping import trained

CPU = torch.device("cpu")
TINY = replace(
    SMALL,
    steps=4,
    batch=4,
    rendered=2,
    fit=replace(SMALL.fit, rays_per_view=16, samples=4, whole_resolution=16),
    code_start=0,
    around_start=0,
    samples=Renders("samples", 80_000, 3, 2, 24, 0.7, 0.3, 1.0),
)


@pytest.fixture(scope="module")
def shards(demo, tmp_path_factory):
    """A folder with a few small pictures of both domains."""
    folder = tmp_path_factory.mktemp("shards")
    TINY.samples.draw(demo, folder, 1, lambda line: None)
    outside = replace(TINY.samples, kind="images", seed=5).shard(demo, 0)
    write_shard(folder / "images-0000.safetensors", outside)
    return folder


@pytest.fixture
def trainer(demo, shards):
    return encoders.make_trainer(demo, TINY, shards, CPU)


def test_the_schedule_of_weights_is_the_papers():
    paper = EncoderRecipe()
    assert (paper.fit.pixel, paper.fit.perceptual, paper.fit.identity) == (1.0, 0.8, 0.4)
    assert paper.code_weight(19_999) == 0.0 and paper.around_weight(99_999) == 0.0
    # the paper sums over 14 codes of 512 numbers, we take means
    assert paper.code_weight(20_000) == pytest.approx(1e-4 * 14 * 512)
    assert paper.code_weight(32_000) == pytest.approx(3e-4 * 14 * 512)
    assert paper.around_weight(100_000) == pytest.approx(1e-4)
    assert paper.around_weight(112_000) == pytest.approx(3e-4)
    assert (paper.samples.yaw, paper.samples.pitch) == pytest.approx((math.radians(30), math.radians(20)))
    assert paper.around_views == 4 and paper.around_yaw == pytest.approx(math.radians(20))


def test_ingredients_can_be_left_out(trainer):
    plain = encoders.without(SMALL, INGREDIENTS[PREIM3D])
    assert plain.around_weight(plain.steps - 1) == 0.0 and SMALL.around_weight(SMALL.steps - 1) > 0
    assert SMALL.alternating and not plain.alternating and encoders.without(SMALL, ()) == SMALL
    assert encoders.without(SMALL, ["around"]).alternating
    trainer.recipe = replace(TINY, alternating=False)
    assert not any(trainer.is_inside(step) for step in range(4))
    half = SMALL.scaled(0.5)
    assert half.code_weight(half.code_start - 1) == 0.0 and half.code_start == SMALL.code_start // 2


def test_rounds_alternate_and_only_known_codes_are_regressed(trainer):
    def names_at(step: int) -> set[str]:
        trainer.step = step
        return set(trainer.losses(torch.Generator().manual_seed(step)))

    names = [names_at(step) for step in (0, 1, 2)]
    assert [("code" in each) for each in names] == [False, True, False]
    assert all({"pixel", "perceptual", "identity", "around"} <= each for each in names)


def test_pictures_are_read_before_clutter_but_compared_without_it(demo, shards, monkeypatch):
    trainer = encoders.make_trainer(demo, replace(TINY, cluttered=1.0), shards, CPU)
    seen: list[Tensor] = []
    compared: list[Tensor] = []

    def jittered(images: Tensor, random: torch.Generator) -> Tensor:
        seen.append(images)
        return images

    def again(codes: Tensor, images: Tensor, *rest: object) -> dict[str, Tensor]:
        compared.append(images)
        return {"pixel": codes.sum()}

    monkeypatch.setattr(preim3d, "jitter", jittered)
    monkeypatch.setattr(trainer, "_seen_again", again)
    trainer.losses(torch.Generator().manual_seed(3))
    _, images, *_, alpha = trainer.outside.drawn(TINY.rendered, torch.Generator().manual_seed(3), mirroring=True)
    assert alpha is not None and torch.equal(compared[0], images)
    changed = (seen[0] - images).abs().amax(1, keepdim=True)
    assert float(changed[alpha < 0.5].mean()) > 0.1 and float(changed[alpha == 1.0].max()) == 0.0


def test_an_encoder_of_things_begins_at_the_mean_with_the_features_of_the_embedded_model(demo):
    encoder = build_encoder(small_config(7, 32))
    encoder.mean_code.copy_(torch.randn(7, 32))
    encoders.begin(encoder.eval())
    lent, picture = load_encoder("demo", "preim3d"), torch.rand(1, 3, 128, 128)
    assert torch.equal(encoder(picture)[0], encoder.mean_code)
    assert all(torch.equal(own, other) for own, other in zip(encoder.levels(picture), lent.levels(picture), strict=True))
    other = build_encoder(EncoderConfig(num_ws=7, w_dim=32, widths=(16, 16, 16, 16), units=(1, 1, 1, 1), input_size=64))
    encoders.begin(other)
    assert other(torch.rand(2, 3, 64, 64)).shape == (2, 7, 32)


def test_views_around_stay_around(trainer):
    yaw, pitch = torch.tensor([0.5, -0.2]), torch.tensor([0.1, 0.0])
    trainer.recipe = replace(TINY, around_views=50)
    around = trainer._around(yaw, pitch, torch.Generator().manual_seed(0))
    assert len(around) == 100
    offset = around.yaw.reshape(2, 50) - yaw[:, None]
    assert float(offset.abs().max()) <= TINY.around_yaw + 1e-5 and float(offset.abs().max()) > 0.8 * TINY.around_yaw
    assert float((around.pitch.reshape(2, 50) - pitch[:, None]).abs().max()) <= TINY.around_pitch + 1e-5


def test_a_perfect_encoder_leaves_little_to_lose(demo, shards, monkeypatch):
    """The losses compare what they say they compare: with the true codes only noise of sampling is left."""
    trainer = encoders.make_trainer(demo, replace(TINY, batch=2), shards, CPU)
    rows = torch.randint(len(trainer.inside), (2,), generator=torch.Generator().manual_seed(7))
    assert trainer.inside.z is not None
    true = TINY.samples.codes(demo, trainer.inside.z[rows])
    found = {}
    for name, codes in (("true", true), ("mean", demo.mean_code.expand_as(true))):
        monkeypatch.setattr(trainer.network, "forward", lambda images, codes=codes: codes[: len(images)])
        trainer.step = 1
        found[name] = trainer.losses(torch.Generator().manual_seed(7))
    assert float(found["true"]["code"]) == 0.0 and float(found["mean"]["code"]) > 0.02
    assert float(found["true"]["pixel"]) < 0.25 * float(found["mean"]["pixel"])


def test_a_stopped_training_ends_with_the_same_weights(demo, shards, tmp_path):
    whole, parts = (
        trained(lambda: encoders.make_trainer(demo, TINY, shards, CPU), tmp_path / name, stops).average.state_dict().values()
        for name, stops in (("whole", [4]), ("parts", [1, 3, 4]))
    )
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_training_learns_the_codes_of_its_pictures(demo, shards):
    recipe = replace(TINY, steps=100, lr=5e-3, batch=6, rendered=1, around_start=100)
    trainer = encoders.make_trainer(demo, recipe, shards, CPU)
    trainer.recipe = replace(recipe, fit=replace(recipe.fit, pixel=0, absolute=0, perceptual=0, identity=0))
    losses = [trainer.advance() for _ in range(100)]
    codes = [float(loss["code"].detach()) for loss in losses if "code" in loss]
    assert sum(codes[-5:]) < 0.7 * sum(codes[:5])


def test_the_finished_encoder_is_written_and_the_grid_shows_both_domains(demo, trainer, tmp_path, monkeypatch):
    assert trainer.grid(pictures=1).shape == (3, 2 * 24, 5 * 24)
    path = job.finished_file(demo, "preim3d", tmp_path)
    trainer.average.get_buffer("input_layer.1.running_var")[0] = 1e5  # more than half precision holds
    save_encoder(trainer.average, path)
    assert path == tmp_path / "preim3d.safetensors"  # the embedded model is not written to
    monkeypatch.setattr("inv3d.core.encoders.store.encoder_file", lambda model, name: path)
    again = load_encoder("demo", "preim3d")
    picture = trainer.inside.images[:1].float() / 127.5 - 1
    assert torch.allclose(again(picture), trainer.average(picture), atol=0.02)


def test_the_log_can_be_read_by_programs(demo, shards, tmp_path):
    trainer = encoders.make_trainer(demo, TINY, shards, CPU)
    trainer.report_every = 2
    lines: list[str] = []
    for _ in trainer.run(tmp_path / "x.pt", lines.append):
        pass
    records = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 4] and len(lines) == 2
    assert {"pixel", "code", "seconds_per_step"} <= records[-1].keys()


def test_pictures_from_too_far_round_are_left_out():
    yaw = torch.tensor([[0.1, 2.0], [-1.5, -0.3]])
    z = torch.tensor([[1.0], [2.0]])
    image = torch.arange(4, dtype=torch.uint8).reshape(2, 2, 1, 1, 1).expand(2, 2, 3, 4, 4)
    found = Pictures.of({"yaw": yaw, "pitch": torch.zeros(2, 2), "image": image, "z": z}, 1.0, own=True)
    assert found.images[:, 0, 0, 0].tolist() == [0, 3]
    assert found.z is not None and found.z.flatten().tolist() == [1.0, 2.0]


def test_the_size_of_the_encoder_follows_the_model(demo):
    space = demo.generator.code_space
    assert encoders.config_for(demo) == small_config(space.num_ws, space.w_dim)
    trained = build_encoder(encoders.config_for(demo))
    assert sum(p.numel() for p in trained.parameters()) < 900_000
    assert EncoderConfig().input_size == 256


def test_missing_pictures_are_named(demo, tmp_path):
    with pytest.raises(InputError, match="no samples shards"):
        encoders.make_trainer(demo, TINY, tmp_path, CPU)


def test_trainers_are_made_alike(demo, shards):
    a, b = (encoders.make_trainer(demo, TINY, shards, CPU) for _ in range(2))
    assert isinstance(a, EncoderTrainer)
    assert all(torch.equal(x, y) for x, y in zip(a.network.parameters(), b.network.parameters(), strict=True))


def test_photographs_become_shards_that_are_kept(demo, tmp_path):
    camera = demo.info.camera(torch.tensor([0.2, -0.1]), torch.zeros(2))
    lines: list[str] = []

    def align(photos):
        return Views(torch.zeros(2, 3, 64, 64), camera, (0, 1), (0.0, 0.0))

    photos = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    outside.draw_photographs(photos, align, 32, tmp_path, lines.append)
    shard = load_images(tmp_path)
    assert shard["image"].shape == (2, 1, 3, 32, 32) and shard["yaw"].shape == (2, 1)
    assert shard["yaw"][:, 0].tolist() == pytest.approx([0.2, -0.1], abs=1e-5)
    assert lines == ["3 of 3 photos aligned"]
    outside.draw_photographs(photos, lambda photos: pytest.fail("they were drawn again"), 32, tmp_path, lines.append)
    assert len(lines) == 1


def test_every_kind_of_encoder_has_a_recipe():
    assert set(encoders.RECIPES) == set(ENCODERS)
