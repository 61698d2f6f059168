"""What a step of training takes, told before it, is what a step keeps."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from inv3d import budget, memory
from inv3d.core.encoders.pyramid import build_encoder
from inv3d.core.errors import OutOfMemoryError
from inv3d.core.training import encoders, needs
from inv3d.core.training.job import EncoderJob
from inv3d.core.training.needs import kept_bytes, step_bytes
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.preim3d import EncoderTrainer

CPU = torch.device("cpu")


@pytest.fixture
def job(demo):
    return EncoderJob(bundle=demo, folder=Path(), device=CPU, align=lambda photos: None)


def test_what_is_kept_is_counted_once_and_without_the_weights():
    layer, x = torch.nn.Linear(10, 20), torch.zeros(5, 10, requires_grad=True)
    assert kept_bytes(lambda: layer(x), layer) == 4 * 5 * 10
    assert kept_bytes(lambda: layer(x) + layer(x)) == 4 * (5 * 10 + 10 * 20)
    with torch.no_grad():
        assert kept_bytes(lambda: layer(x)) == 0


def test_a_step_keeps_what_was_told(job, monkeypatch):
    """The whole step of the embedded model's recipe, on pictures, with all losses."""
    monkeypatch.setattr(needs, "_PASSING", 1.0)
    monkeypatch.setattr(needs, "_WEIGHT", 0)
    recipe = encoders.recipe_for(job.bundle)
    (step,) = encoders.STEPS["preim3d"](job)
    told = step_bytes(step, job.bundle, CPU)
    side = recipe.samples.resolution
    images = torch.randint(256, (recipe.batch, 3, side, side), dtype=torch.uint8)
    angles = torch.zeros(recipe.batch)
    pictures = Pictures(images, angles, angles, torch.randn(recipe.batch, job.bundle.generator.z_dim))
    trainer = EncoderTrainer(job.bundle, build_encoder(encoders.config_for(job.bundle)), recipe, pictures, pictures, CPU)
    trainer.step = recipe.around_start | 1
    kept = kept_bytes(lambda: trainer.losses(torch.Generator().manual_seed(0)), trainer.network)
    assert told == pytest.approx(kept, rel=0.35)


@pytest.mark.parametrize("recipe", encoders.STEPS)
def test_more_of_everything_takes_more(job, recipe):
    for step in encoders.STEPS[recipe](job):
        one = step_bytes(step, job.bundle, CPU)
        assert one > 20 * sum(weight.numel() for weight in step.make().parameters())
        for more in (replace(step, rays=2 * step.rays), replace(step, size=4 * step.size)):
            assert step_bytes(more, job.bundle, CPU) > one, more


def test_fewer_rays_at_a_time_take_less(job):
    (step,) = encoders.STEPS["preim3d"](job)
    assert step_bytes(replace(step, chunk=64), job.bundle, CPU) < step_bytes(step, job.bundle, CPU)


def test_a_training_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: int(4e9))
    assert budget.require_training([(1e9, 500_000_000), (2e9, 0)], "demo", CPU) == 2.1e9
    with pytest.raises(OutOfMemoryError, match=r"training an encoder for the model .demo. needs about 4\.1 GB"):
        budget.require_training([(1e9, 0), (3e9, 1_000_000_000)], "demo", CPU)


def test_a_gpu_has_its_own_memory(monkeypatch):
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(memory, "free_memory", lambda: int(2e9))
    monkeypatch.setattr(budget, "free_on", lambda device: int(4e9))
    assert budget.require_training([(3e9, 1_000_000_000)], "demo", gpu) == 3.5e9
    with pytest.raises(OutOfMemoryError, match=r"on cuda:0, needs about 4\.5 GB"):
        budget.require_training([(4e9, 0)], "demo", gpu)
    with pytest.raises(OutOfMemoryError, match="the pictures of training"):
        budget.require_training([(1e9, 2_000_000_000)], "demo", gpu)
