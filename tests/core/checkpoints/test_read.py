import dataclasses
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from inv3d.core.checkpoints.eg3d import Checkpoint, Layout
from inv3d.core.checkpoints.families import FAMILIES
from inv3d.core.checkpoints.read import read_checkpoint, to_safetensors
from inv3d.core.errors import ModelError, UsageError


@pytest.fixture
def state(tiny):
    return OrderedDict((name, tensor.clone()) for name, tensor in tiny.state_dict().items())


def same(found: Checkpoint, state) -> bool:
    return found.state.keys() == state.keys() and all(torch.equal(found.state[name], state[name]) for name in state)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapped", ["", "G_ema", "state_dict"])
def test_bare_weights_of_torch_save_are_read_with_a_family(state, tiny, tmp_path, zipped, wrapped):
    value = {wrapped: state} if wrapped else state
    torch.save(value, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "x.pt", like="afhqcats")
    assert same(found, state)
    assert found.layout == Layout(tiny.config, 2.7, FAMILIES["afhqcats"].pivot)


def test_bare_weights_in_safetensors_are_read_with_a_family(state, tiny, tmp_path):
    save_file(state, tmp_path / "x.safetensors")
    found = read_checkpoint(tmp_path / "x.safetensors", like="ffhq")
    assert same(found, state) and found.layout.config == tiny.config


def test_init_arguments_beside_bare_weights_are_used(state, tiny, options, tmp_path):
    torch.save({"init_kwargs": options, "G_ema": state, "latent_avg": torch.zeros(14, 512)}, tmp_path / "x.pt")
    found = read_checkpoint(tmp_path / "x.pt")
    assert same(found, state) and found.layout.config == tiny.config


def test_our_own_file_keeps_every_bit_and_the_layout(state, demo, tmp_path):
    layout = Layout(demo.info.generator, 3.0, (0.0, 0.1, 0.2))
    checkpoint = Checkpoint(layout, demo.generator.state_dict())
    (tmp_path / "x.safetensors").write_bytes(to_safetensors(checkpoint))
    found = read_checkpoint(tmp_path / "x.safetensors")
    assert found.layout == layout and same(found, checkpoint.state)


def test_bare_weights_need_a_family_that_exists(state, tmp_path):
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="bare weights") as caught:
        read_checkpoint(tmp_path / "x.safetensors")
    assert "--like" in caught.value.hint
    with pytest.raises(UsageError, match="dogs"):
        read_checkpoint(tmp_path / "x.safetensors", like="dogs")


def test_weights_of_another_family_are_told_by_name(state, tmp_path):
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="superresolution"):
        read_checkpoint(tmp_path / "x.safetensors", like="shapenetcars")


def test_damaged_safetensors_are_refused(demo, tmp_path):
    checkpoint = Checkpoint(Layout(demo.info.generator), demo.generator.state_dict())
    whole = to_safetensors(checkpoint)
    config = dataclasses.replace(demo.info.generator, channel_max=10**9)
    lying = to_safetensors(dataclasses.replace(checkpoint, layout=Layout(config)))
    for bad in (whole[: len(whole) // 2], whole[:9], whole[:100] + b"\xff" * 100, lying):
        (tmp_path / "x.safetensors").write_bytes(bad)
        with pytest.raises(ModelError, match="refused"):
            read_checkpoint(tmp_path / "x.safetensors")
