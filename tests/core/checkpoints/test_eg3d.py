import pytest
import torch

from inv3d.core.checkpoints.eg3d import config_of
from inv3d.core.checkpoints.read import read_checkpoint
from inv3d.core.errors import ModelError
from inv3d.core.generator.config import eg3d_ffhq, eg3d_shapenet_cars

from .conftest import tree, write_eg3d


@pytest.fixture
def file(tiny, options, eg3d_names, tmp_path):
    """A checkpoint of the tiny reference network."""
    root = tree(tiny.state_dict(), {name for name, _ in tiny.named_parameters()})
    write_eg3d(tmp_path / "tiny.pkl", root, options, 128)
    return tmp_path / "tiny.pkl"


def test_every_bit_of_a_checkpoint_arrives(tiny, file):
    found = read_checkpoint(file)
    expected = tiny.state_dict()
    assert found.state.keys() == expected.keys()
    assert all(torch.equal(found.state[name], tensor) for name, tensor in expected.items())
    assert found.layout.config == tiny.config
    assert (found.layout.radius, found.layout.pivot) == (2.7, (0.0, 0.0, 0.2))


def test_a_saved_module_is_read_like_the_pickle(tiny, options, eg3d_names, tmp_path):
    root = tree(tiny.state_dict(), {name for name, _ in tiny.named_parameters()})
    root._init_kwargs, root.neural_rendering_resolution = options, 128
    torch.save(root, tmp_path / "tiny.pt")
    found = read_checkpoint(tmp_path / "tiny.pt")
    assert all(torch.equal(found.state[name], tensor) for name, tensor in tiny.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("decoder.net.0.weight"), "decoder.net.0.weight is missing"),
        (lambda state: state.update({"decoder.net.0.bias": torch.zeros(3)}), r"decoder.net.0.bias has shape \(3,\)"),
        (lambda state: state.update({"decoder.more": torch.zeros(3)}), "'decoder.more' belongs to no part"),
    ],
)
def test_what_does_not_fit_is_named(tiny, options, eg3d_names, tmp_path, change, message):
    state = dict(tiny.state_dict())
    change(state)
    write_eg3d(tmp_path / "x.pkl", tree(state, set()), options, 128)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(tmp_path / "x.pkl")


def test_options_of_the_public_models_give_their_configurations(options):
    kwargs = {**options, "z_dim": 512, "channel_base": 32768, "channel_max": 512}
    assert config_of(kwargs, 128) == eg3d_ffhq()
    cars = {
        **options["rendering_kwargs"], "superresolution_module": "training.superresolution.SuperresolutionHybrid2X",
        "depth_resolution": 64, "depth_resolution_importance": 64, "ray_start": 0.1, "ray_end": 2.6, "box_warp": 1.6,
        "white_back": True, "c_gen_conditioning_zero": True,
    }  # fmt: skip
    assert config_of({**kwargs, "img_resolution": 128, "rendering_kwargs": cars}, 64) == eg3d_shapenet_cars()


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("superresolution_module", "os.system", "super-resolution"),
        ("clamp_mode", "relu", "clamp_mode"),
        ("ray_start", "auto", "ray_start"),
    ],
)
def test_other_models_are_told_apart(options, where, value, message):
    options["rendering_kwargs"][where] = value
    with pytest.raises(ModelError, match=message):
        config_of(options, 128)


def test_absurd_sizes_are_refused(options):
    for name, value in (("z_dim", 10**9), ("channel_max", 10**7), ("mapping_kwargs", {"num_layers": 10**8})):
        with pytest.raises(ModelError, match="sizes"):
            config_of({**options, name: value}, 128)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.pkl cannot be read"):
        read_checkpoint(tmp_path / "none.pkl")
