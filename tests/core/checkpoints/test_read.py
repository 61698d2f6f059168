"""Bare weights and their wrappings, safetensors, and files that hold something else."""

import dataclasses
import io
import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inv3d.core.checkpoints.eg3d import Checkpoint, Layout
from inv3d.core.checkpoints.families import FAMILIES
from inv3d.core.checkpoints.read import read_checkpoint, read_weights, to_safetensors
from inv3d.core.errors import ModelError, UsageError

from .test_eg3d import LPFF
from .writer import eg3d_pickle, generator, ordered, torch_stream, torch_zip

FAULTS = Path(__file__).parents[4] / "shared" / "faults"


@pytest.fixture
def state(small):
    return OrderedDict((name, tensor.clone()) for name, tensor in small.state_dict().items())


def same(found: Checkpoint, state: Mapping[str, torch.Tensor]) -> bool:
    return found.state.keys() == state.keys() and all(torch.equal(found.state[name], state[name]) for name in state)


def prefixed(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize("write", [torch_zip, torch_stream, torch.save])
@pytest.mark.parametrize("wrapped", ["", "G_ema", "g_ema", "G", "state_dict", "generator"])
def test_bare_weights_are_read_with_a_family(state, tmp_path, write, wrapped):
    value = {wrapped: state, "step": 3} if wrapped else state
    if write is torch.save:
        torch.save(value, tmp_path / "x.pt")
    else:
        write(tmp_path / "x.pt", {wrapped: ordered(state), "step": 3} if wrapped else ordered(state))
    found = read_checkpoint(tmp_path / "x.pt", like="shapenetcars")
    assert same(found, state) and found.notes == ()
    assert (found.layout.radius, found.layout.pivot) == (1.7, FAMILIES["shapenetcars"].pivot)
    config = found.layout.config
    assert (config.z_dim, config.w_dim, config.channel_max, config.mapping.layers) == (8, 8, 4, 2)


@pytest.mark.parametrize("prefix", ["module.", "decoder.", "G_ema.", "G.", "net.module.", "generator."])
@pytest.mark.parametrize("form", ["zip", "safetensors"])
def test_names_may_begin_with_those_of_wrapping_modules(state, tmp_path, prefix, form):
    if form == "zip":
        torch_zip(tmp_path / "x", {"state_dict": ordered(prefixed(state, prefix))})
    else:
        save_file(prefixed(state, prefix), tmp_path / "x")
    assert same(read_checkpoint(tmp_path / "x", like="shapenetcars"), state)


def test_the_generator_is_found_beside_other_networks(state, tmp_path):
    others = {"encoder.input_layer.0.weight": torch.zeros(3), "latent_avg": torch.zeros(3)}
    torch_zip(tmp_path / "x", {"state_dict": ordered(prefixed(state, "decoder.") | others), "opts": {"lr": 0.1}})
    found = read_checkpoint(tmp_path / "x", like="shapenetcars")
    assert same(found, state)
    assert found.notes == ("skipped 'encoder.input_layer.0.weight' and 1 more: parts of other networks",)


def test_of_two_generators_the_moving_average_is_taken(state, tmp_path):
    other = {name: tensor + 1 for name, tensor in state.items()}
    for value in (
        {"G": ordered(other), "G_ema": ordered(state)},
        {"state_dict": ordered(prefixed(other, "G.") | prefixed(state, "G_ema."))},
    ):
        assert same(read_checkpoint(torch_zip(tmp_path / "x", value), like="shapenetcars"), state)


@pytest.mark.parametrize(
    ("weights", "kwargs"), [("G_ema", "init_kwargs"), ("G", "G_init_kwargs"), ("state_dict", "hparams")]
)
def test_init_arguments_beside_bare_weights_are_used(state, config, options, tmp_path, weights, kwargs):
    options["neural_rendering_resolution"] = 32
    torch_zip(tmp_path / "x", {kwargs: options, weights: ordered(state), "latent_avg": torch.zeros(14, 8)})
    found = read_checkpoint(tmp_path / "x")
    assert same(found, state) and found.layout.config == config
    named = read_checkpoint(tmp_path / "x", like="shapenetcars")
    assert named.layout == found.layout
    assert named.notes == ("the family 'shapenetcars' was not needed: the file has its own options", *found.notes)


def test_what_a_file_says_of_itself_beats_the_family(state, tmp_path):
    axes = torch.tensor(LPFF, dtype=torch.float32)
    for value in (state | {"renderer.plane_axes": axes}, state | {"plane_axes": axes}):
        found = read_checkpoint(torch_zip(tmp_path / "x", ordered(value)), like="shapenetcars")
        assert same(found, state) and found.layout.config.rendering.plane_layout == "xy-xz-yz"
        save_file(dict(value), tmp_path / "y")
        assert read_checkpoint(tmp_path / "y", like="shapenetcars").layout == found.layout
    assert found.notes == ()


def test_buffers_in_bare_weights_are_passed_over_and_weights_are_not(state, tmp_path):
    more = state | {"dataset_label_std": torch.zeros(25), "renderer.grid": torch.zeros(2)}
    found = read_checkpoint(torch_zip(tmp_path / "x", ordered(more)), like="shapenetcars")
    assert same(found, state)
    assert found.notes == ("skipped 'renderer.grid': buffers on which no weight depends",)
    for name in ("backbone.synthesis.b512.conv0.weight", "decoder.net.4.bias", "weight"):
        torch_zip(tmp_path / "x", ordered(state | {name: torch.zeros(1)}))
        with pytest.raises(ModelError, match=f"'{name}' does not belong to any part"):
            read_checkpoint(tmp_path / "x", like="shapenetcars")


def test_our_own_file_keeps_every_bit_and_the_layout(small, demo, tmp_path):
    axes = (((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),) * 3
    rendering = dataclasses.replace(small.config.rendering, plane_axes=axes)
    mapping = dataclasses.replace(small.config.mapping, fixed_camera=(0.5,) * 25)
    small_config = dataclasses.replace(small.config, rendering=rendering, mapping=mapping)
    for config, network in ((demo.info.generator, demo.generator), (small_config, small)):
        checkpoint = Checkpoint(Layout(config, 3.0, (0.0, 0.1, 0.2)), network.state_dict())
        (tmp_path / "x.safetensors").write_bytes(to_safetensors(checkpoint))
        found = read_checkpoint(tmp_path / "x.safetensors")
        assert found.layout == checkpoint.layout and same(found, checkpoint.state)


def test_bare_weights_need_a_family_that_exists(state, tmp_path):
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="only weights") as caught:
        read_checkpoint(tmp_path / "x.safetensors")
    assert "--like" in caught.value.hint
    with pytest.raises(UsageError, match="dogs"):
        read_checkpoint(tmp_path / "x.safetensors", like="dogs")


def test_weights_of_another_family_are_told_by_name(state, tmp_path):
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="superresolution"):
        read_checkpoint(tmp_path / "x.safetensors", like="ffhq")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["backbone.synthesis.b4.const", "backbone.bcg_synthesis.b4.const"], "tri-grids"),
        (["backbone.mapping.w_avg", "t_mapping.fc0.weight"], "tri-grids"),
        (["renderer.network.pts_linears.0.weight", "decoder.conv1.conv.weight"], "StyleSDF"),
        (["encoder.input_layer.0.weight", "encoder.body.0.weight"], "an encoder"),
        (["synthesis.b4.const", "mapping.w_avg"], "StyleGAN"),
        (["b4.out.weight", "b512.fromrgb.weight"], "discriminator"),
        (["conv.weight"], "no generator"),
    ],
)
def test_other_networks_are_called_what_they_are(tmp_path, names, message):
    torch_zip(tmp_path / "x", ordered({name: torch.zeros(2) for name in names}))
    with pytest.raises(ModelError, match=message):
        read_checkpoint(tmp_path / "x", like="ffhq")


def test_planes_with_a_depth_are_refused(small, parameters, options, tmp_path):
    state = dict(small.state_dict()) | {"backbone.synthesis.b4.torgb.weight": torch.zeros(288, 4, 1, 1)}
    eg3d_pickle(tmp_path / "x", {"G_ema": generator(state, parameters, options)})
    with pytest.raises(ModelError, match="288 channels, not 96"):
        read_checkpoint(tmp_path / "x")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html><head>", "web page"),
        (b"\xef\xbb\xbf \n<HTML lang=en>", "web page"),
        (b'{"error": "quota exceeded"}', "text file"),
        (b"Not Found", "text file"),
        ("<html>".encode("utf-16"), "text file"),
        (b"\x93NUMPY\1\0v\0{'descr'", "NumPy array"),
        (b"\x08\x08\x12\x07pytorch", "ONNX"),
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"PK\5\6" + bytes(18), "empty zip archive"),
        (b"<?xml version='1.0'?><Error>", "XML"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"", "is empty"),
        (b"\0" * 5000, "zero bytes"),
    ],
)
def test_files_of_another_kind_are_called_what_they_are(tmp_path, start, message):
    (tmp_path / "x.pkl").write_bytes(start)
    with pytest.raises(ModelError, match=message) as caught:
        read_checkpoint(tmp_path / "x.pkl")
    assert "x.pkl" in caught.value.message


@pytest.mark.skipif(not FAULTS.is_dir(), reason="needs the shared inputs")
@pytest.mark.parametrize(("name", "message"), [("pointer.pkl", "Git LFS pointer"), ("hash-bomb.pkl", "key")])
def test_files_that_were_handled_wrongly(name, message):
    with pytest.raises(ModelError, match=message):
        read_checkpoint(FAULTS / name)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ModelError, match="is not a file"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.full((64, 32), torch.nan), "contains NaN or infinity"),
        (torch.full((64, 32), torch.inf, dtype=torch.float16), "contains NaN or infinity"),
        (torch.zeros(64, 32, dtype=torch.int64), "does not contain floating-point numbers"),
        (torch.zeros(64, 32, dtype=torch.uint8), "does not contain floating-point numbers"),
    ],
)
def test_weights_that_are_no_numbers_are_named(state, tmp_path, weight, message):
    changed = state | {"decoder.net.0.weight": weight}
    save_file(dict(changed), tmp_path / "y")
    for path in (torch_zip(tmp_path / "x", ordered(changed)), tmp_path / "y"):
        with pytest.raises(ModelError, match=rf"decoder\.net\.0\.weight.*{message}"):
            read_checkpoint(path, like="shapenetcars")


def test_weights_by_name_are_read_without_torchs_unpickler(tmp_path):
    weights = {"a": torch.randn(2, 3), "b": torch.arange(4)}
    torch.save(weights, tmp_path / "x.pth")
    found = read_weights(tmp_path / "x.pth")
    assert found.keys() == weights.keys() and all(torch.equal(found[name], weights[name]) for name in weights)
    (tmp_path / "x.pth").write_bytes(b"\x80\x04})" + b"2\x86" * 60 + b"Ns.")
    with pytest.raises(ModelError, match="key"):
        read_weights(tmp_path / "x.pth")


def test_numbers_of_the_layout_may_not_be_absurd(small, tmp_path):
    state = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    for radius in (10**400, "far", [1], -1.0, None):
        layout = {"config": small.config.to_json(), "radius": radius, "pivot": [0, 0, 0]}
        save_file(state, tmp_path / "x", metadata={"inv3d": json.dumps(layout)})
        with pytest.raises(ModelError, match="refused"):
            read_checkpoint(tmp_path / "x")


def test_damaged_safetensors_are_refused(demo, tmp_path):
    checkpoint = Checkpoint(Layout(demo.info.generator), demo.generator.state_dict())
    whole = to_safetensors(checkpoint)
    config = dataclasses.replace(demo.info.generator, channel_max=10**9)
    lying = to_safetensors(dataclasses.replace(checkpoint, layout=Layout(config)))
    long = io.BytesIO()
    long.write((50 << 20).to_bytes(8, "little") + b"{" + b" " * (51 << 20))
    for bad in (whole[: len(whole) // 2], whole[:9], whole[:100] + b"\xff" * 100, lying, long.getvalue()):
        (tmp_path / "x.safetensors").write_bytes(bad)
        with pytest.raises(ModelError, match="refused"):
            read_checkpoint(tmp_path / "x.safetensors")
