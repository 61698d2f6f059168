"""Modules of EG3D's code, in pickles and in `torch.save` files of both kinds: what they say is what is used."""

import numpy as np
import pytest
import torch

from inv3d.core.camera import FFHQ_FOCAL, look_at
from inv3d.core.checkpoints.eg3d import layout_of
from inv3d.core.checkpoints.options import Options
from inv3d.core.checkpoints.read import read_checkpoint
from inv3d.core.checkpoints.tensors import TensorReader
from inv3d.core.errors import ModelError
from inv3d.core.generator.config import eg3d_ffhq, eg3d_shapenet_cars

from .writer import (
    array,
    easy,
    eg3d_pickle,
    generator,
    of_module,
    ordered,
    plain,
    scalar,
    snapshot,
    torch_stream,
    torch_zip,
)

LEGACY = [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]]
LPFF = [*LEGACY[:2], [[0, 0, 1], [0, 1, 0], [1, 0, 0]]]
WRITERS = {
    "pickle": lambda path, module: eg3d_pickle(path, snapshot(module)),
    "pickle of protocol 2": lambda path, module: eg3d_pickle(path, snapshot(module), protocol=2),
    "pickle of protocol 3": lambda path, module: eg3d_pickle(path, snapshot(module), protocol=3),
    "saved module": torch_zip,
    "saved module, old": torch_stream,
    "in a dictionary": lambda path, module: torch_zip(path, {"epoch": 3, "g_ema": module}),
    "wrapped": lambda path, module: torch_zip(
        path, plain("torch.nn.parallel.data_parallel", "DataParallel", of_module({}, {}, {"module": module}))
    ),
}


def reader() -> TensorReader:
    def nothing(storage):
        raise AssertionError

    return TensorReader(nothing, 0)


def layout(options):
    return layout_of(Options(options, reader()), None, {})


@pytest.mark.parametrize("kind", WRITERS)
def test_every_bit_of_a_module_arrives(small, parameters, options, config, tmp_path, kind):
    module = generator(small.state_dict(), parameters, options, neural_rendering_resolution=32)
    found = read_checkpoint(WRITERS[kind](tmp_path / "x", module))
    expected = small.state_dict()
    assert found.state.keys() == expected.keys()
    assert all(torch.equal(found.state[name], tensor) for name, tensor in expected.items())
    assert (found.layout.config, found.layout.radius, found.layout.pivot) == (config, 2.7, (0.0, 0.0, 0.2))
    assert found.notes == ()


def test_what_was_set_after_construction_wins(small, parameters, options, tmp_path):
    later = {**options["rendering_kwargs"], "ray_start": 2.35, "depth_resolution": scalar(np.int64(10))}
    module = generator(
        small.state_dict(), parameters, options, rendering_kwargs=easy(later), neural_rendering_resolution=48
    )
    config = read_checkpoint(eg3d_pickle(tmp_path / "x", snapshot(module))).layout.config
    assert (config.rendering.near, config.rendering.coarse_samples, config.rendering.fine_samples) == (2.35, 10, 6)
    assert config.raw_resolution == 48


def test_the_buffer_of_the_training_loop_is_left_out_and_others_are_reported(small, parameters, options, tmp_path):
    state = dict(small.state_dict()) | {"dataset_label_std": torch.rand(25)}
    file = eg3d_pickle(tmp_path / "x", snapshot(generator(state, parameters, options)))
    found = read_checkpoint(file)
    assert found.state.keys() == small.state_dict().keys() and found.notes == ()
    state["decoder.seen"] = torch.rand(4)
    found = read_checkpoint(eg3d_pickle(tmp_path / "x", snapshot(generator(state, parameters, options))))
    assert found.state.keys() == small.state_dict().keys()
    assert found.notes == ("skipped 'decoder.seen': buffers on which no weight depends",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("decoder.net.0.weight"), "decoder.net.0.weight is missing"),
        (lambda state: state.update({"decoder.net.0.bias": torch.zeros(3)}), r"decoder.net.0.bias has shape \(3,\)"),
        (lambda state: state.update({"decoder.more": torch.zeros(3)}), "'decoder.more' does not belong to any part"),
        (lambda state: state.update({"other.weight": torch.zeros(3)}), "'other.weight' does not belong to any part"),
    ],
)
def test_weights_that_do_not_fit_are_named(small, parameters, options, tmp_path, change, message):
    state = dict(small.state_dict())
    change(state)
    module = generator(state, {*parameters, "decoder.more", "other.weight"}, options)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(eg3d_pickle(tmp_path / "x", snapshot(module)))


@pytest.mark.parametrize("form", [torch.tensor, lambda axes: array(np.asarray(axes, np.float32)), list])
def test_the_axes_of_the_planes_are_those_that_the_renderer_carries(small, parameters, options, tmp_path, form):
    def rendering(axes):
        module = generator(small.state_dict(), parameters, options, form(axes))
        return read_checkpoint(eg3d_pickle(tmp_path / "x", snapshot(module))).layout.config.rendering

    assert rendering(LEGACY).plane_layout == "legacy" and rendering(LEGACY).plane_axes is None
    assert rendering(LPFF).plane_layout == "xy-xz-yz" and rendering(LPFF).plane_axes is None
    turned = [*LEGACY[:2], [[0, 1, 0], [0, 0, -1], [1, 0, 0]]]
    assert rendering(turned).plane_axes == tuple(tuple(tuple(map(float, row)) for row in plane) for plane in turned)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (torch.ones(3, 3, 3), "should be bases"),
        (torch.eye(3), "shape"),
        (torch.full((3, 3, 3), torch.nan), "not finite"),
    ],
)
def test_axes_of_no_planes_are_refused(small, parameters, options, tmp_path, axes, message):
    module = generator(small.state_dict(), parameters, options, axes)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(eg3d_pickle(tmp_path / "x", snapshot(module)))


def test_options_of_the_public_models_give_their_configurations(options):
    ffhq = {
        **options, "z_dim": 512, "w_dim": 512, "channel_base": 32768, "channel_max": 512, "img_resolution": 512,
        "neural_rendering_resolution": 128, "rendering_kwargs": {
            **options["rendering_kwargs"], "depth_resolution": 48, "depth_resolution_importance": 48,
            "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC",
        },
    }  # fmt: skip
    assert layout(ffhq).config == eg3d_ffhq()
    cars = {
        **options["rendering_kwargs"], "depth_resolution": 64, "depth_resolution_importance": 64, "ray_start": 0.1,
        "ray_end": 2.6, "box_warp": 1.6, "white_back": True, "c_gen_conditioning_zero": True,
    }  # fmt: skip
    found = layout({**ffhq, "img_resolution": 128, "neural_rendering_resolution": 64, "rendering_kwargs": cars})
    assert found.config == eg3d_shapenet_cars()


def test_what_a_file_does_not_say_has_the_public_defaults(options):
    del options["rendering_kwargs"]["decoder_lr_mul"], options["rendering_kwargs"]["c_scale"]
    options["mapping_kwargs"] = {}
    config = layout(options).config
    assert (config.mapping.layers, config.mapping.lr_multiplier, config.mapping.activation) == (8, 0.01, "lrelu")
    assert config.decoder.lr_multiplier == 1.0 and config.mapping.camera_scale == 0.0
    del options["mapping_kwargs"]
    assert layout(options).config.mapping.layers == 8


def test_multipliers_and_activations_are_used(options):
    options["mapping_kwargs"] |= {"lr_multiplier": 0.1, "activation": "relu"}
    options["activation"] = "linear"
    config = layout(options).config
    assert (config.mapping.lr_multiplier, config.mapping.activation, config.activation) == (0.1, "relu", "linear")


@pytest.mark.parametrize(
    "pivot",
    [[0, 0.1, 0.2], (0, 0.1, 0.2), array(np.array([0, 0.1, 0.2])), array(np.array([0, 0.1, 0.2], ">f4")), torch.tensor([0, 0.1, 0.2])],
)  # fmt: skip
def test_pivots_come_as_lists_arrays_and_tensors(small, parameters, options, tmp_path, pivot):
    options["rendering_kwargs"]["avg_camera_pivot"] = pivot
    module = generator(small.state_dict(), parameters, options)
    assert read_checkpoint(torch_zip(tmp_path / "x", module)).layout.pivot == pytest.approx((0.0, 0.1, 0.2))


def test_models_conditioned_on_the_mean_camera_see_no_other(options):
    options["rendering_kwargs"]["c_gen_conditioning_avg"] = True
    camera = layout(options).config.mapping.fixed_camera
    front = look_at(torch.zeros(1), torch.zeros(1), 2.7, (0.0, 0.0, 0.2), FFHQ_FOCAL)
    assert camera == pytest.approx(tuple(front.vector()[0].tolist()))
    options["rendering_kwargs"]["c_gen_conditioning_avg"] = [float(i) for i in range(25)]
    assert layout(options).config.mapping.fixed_camera == tuple(float(i) for i in range(25))
    options["rendering_kwargs"]["c_gen_conditioning_avg"] = False
    assert layout(options).config.mapping.fixed_camera is None


def test_rays_that_the_box_cuts(options):
    options["rendering_kwargs"] |= {"ray_start": "auto", "ray_end": "auto"}
    rendering = layout(options).config.rendering
    assert rendering.cut_by_box and rendering.near < 2.2 and rendering.far > 3.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"superresolution_module": "os.system"}, "super-resolution 'system'"),
        ({"clamp_mode": "relu"}, "clamp_mode"),
        ({"ray_start": 4.0}, "ray_start"),
        ({"ray_end": float("inf")}, "ray_end"),
        ({"ray_end": "far"}, "ray_end"),
        ({"box_warp": float("nan")}, "box_warp"),
        ({"box_warp": 0}, "box_warp"),
        ({"depth_resolution": 10**600}, "depth_resolution"),
        ({"depth_resolution": 6.5}, "depth_resolution"),
        ({"avg_camera_pivot": [0, 0]}, "avg_camera_pivot"),
        ({"avg_camera_pivot": [[[[[0]]]]]}, "avg_camera_pivot"),
        ({"superresolution_noise_mode": ("none",)}, "superresolution_noise_mode"),
        ({"c_gen_conditioning_zero": "yes"}, "c_gen_conditioning_zero"),
    ],
)  # fmt: skip
def test_options_that_are_not_supported_are_named(options, change, message):
    options["rendering_kwargs"] |= change
    with pytest.raises(ModelError, match=message):
        layout(options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z_dim": 10**9}, "z_dim"),
        ({"channel_max": 10**7}, "sizes"),
        ({"mapping_kwargs": {"num_layers": 10**8}}, "num_layers"),
        ({"mapping_kwargs": {"num_layers": 17}}, "sizes"),
        ({"mapping_kwargs": {"activation": "sigmoid"}}, "activation 'sigmoid'"),
        ({"mapping_kwargs": [1]}, "mapping_kwargs"),
        ({"activation": "swish"}, "activation 'swish'"),
        ({"architecture": "resnet"}, "architecture"),
        ({"sr_kwargs": {"activation": "relu"}}, "activation"),
        ({"img_resolution": 256}, "gives 128 px, not 256"),
        ({"w_dim": ordered({})}, "w_dim"),
    ],
)
def test_other_sizes_and_networks_are_named(options, change, message):
    with pytest.raises(ModelError, match=message):
        layout(options | change)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.pkl cannot be read"):
        read_checkpoint(tmp_path / "none.pkl")
