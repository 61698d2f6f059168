"""Steps that a device repeats come to what plain steps come to, in every stage and preset, on a device that is not there."""

import warnings
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import pytest
import torch

from inv3d.core.bundle import load_bundle
from inv3d.core.errors import Inv3dWarning
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.interface import Guide
from inv3d.core.inversion import graphs, loop, reconstruction
from inv3d.core.inversion.graphs import VARIABLE, Gpu, recorder_on
from inv3d.core.inversion.loop import optimise, silent
from inv3d.core.inversion.objective import pixel_terms
from inv3d.core.inversion.settings import PRESETS
from inv3d.core.inversion.stages import Problem, fit_latents, fit_pose, fit_wplus, tune
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views
from tests import tiny
from tests.pretend import DEVICE, pretended
from tests.tape import GivenBackError, Tape


@pytest.fixture(scope="module")
def there():
    with pretended() as made:
        yield made


@pytest.fixture(scope="module", params=["grid", "eg3d"])
def bundle(request, there, demo):
    """Of each way of sampling; in 16 bits as on CUDA."""
    config = tiny.like_demo(demo) if request.param == "grid" else tiny.CONFIG
    made = tiny.with_generator(load_bundle("demo", DEVICE), config, DEVICE)
    assert isinstance(made.generator, TriplaneGenerator)
    made.generator.compute_in_half_precision(True, True)
    return made


@pytest.fixture(scope="module")
def views(bundle):
    """Two targets and a frame in between."""
    random = torch.Generator().manual_seed(0)
    yaw, size = torch.tensor([-0.6, 0.0, 0.6]), bundle.info.generator.resolution
    images, mattes = torch.randn(3, 3, size, size, generator=random), torch.rand(3, 1, size, size, generator=random)
    return Views(0.1 * images, bundle.info.camera(yaw, 0 * yaw), (0, 1, 2), (0.0, 1.0, 2.0), mattes).to(DEVICE)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Steps are recorded after one, and the guide is made anew among the repeated ones."""
    monkeypatch.setattr(graphs, "_PLAIN", 1)
    monkeypatch.setattr(reconstruction, "_GUIDE_AGE", 2)


def problem(bundle, views, preset, **changes):
    rays = {"rays_per_view": 8, "whole_resolution": 16, "depth_rays": 8} if PRESETS[preset].rays_per_view else {}
    steps = {"wplus_steps": 6, "latent_steps": 3, "tuning_steps": 3, "pose_steps": 3}
    settings = replace(PRESETS[preset], smoothness=0.1, code_noise=0.05, **{**steps, **rays, **changes})
    return Problem(bundle, views[[0, 2]], views[[1]], settings, 0)


class Log:
    """The losses of all steps, which are read at the end, when a device has long gone on."""

    def __init__(self):
        self.steps = []

    def __call__(self, stage, step, steps, losses):
        self.steps.append((stage, step, losses))

    def read(self):
        return [(stage, step, dict(losses)) for stage, step, losses in self.steps]


STAGES = ("pose", "wplus", "latents", "tuned")


def fitted(problem, recorder, names=STAGES):
    """What stages come to, and all losses, on a device that records with a `recorder`."""
    log = Log()
    code = problem.bundle.generator.code_space.repeat(problem.bundle.mean_code[None])
    track = LatentTrack(code + 0.1 * torch.arange(2, device=DEVICE)[:, None, None], problem.yaws)
    runs = {
        "pose": lambda: {"offsets": fit_pose(problem, code, log)},
        "wplus": lambda: fit_wplus(problem, log).state(),
        "latents": lambda: {"codes": fit_latents(problem, code, log).codes},
        "tuned": lambda: dict(tune(problem, track, log).state_dict()),
    }
    with mock.patch.object(loop, "recorder_on", lambda device: recorder):
        found = {f"{name} {key}": value for name in names for key, value in runs[name]().items()}
    return found, log.read()


def same(some, others):
    """Bit by bit."""
    return some[1] == others[1] and all(value.equal(others[0][name]) for name, value in some[0].items())


@pytest.mark.parametrize(
    "bundle, preset",
    [("grid", "fast"), ("grid", "fine"), ("grid", "paper-fast"), ("grid", "paper"), ("eg3d", "fast"), ("eg3d", "paper-fast")],
    indirect=["bundle"],
)
def test_repeated_steps_come_to_the_same(bundle, views, there, preset):
    task, tape = problem(bundle, views, preset), Tape(there)
    plain = fitted(task, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repeated = fitted(task, tape)
    assert same(plain, repeated)
    # every stage once, and W+ again when cameras begin to move; of each kind all but one plain step, and once to try it
    kinds = 5 if task.settings.pose_lr else 4
    assert tape.recorded == kinds and tape.repeated == len(plain[1]) - kinds


class Full(Tape):
    """A device without memory for a recording."""

    def record(self, step, random):
        raise torch.OutOfMemoryError("no memory")


REFUSALS: dict[str, tuple[Callable[..., Tape], str]] = {
    "a host that reads": (Tape, "the host would wait"),
    "no memory": (Full, "no memory"),
    "a step without its end": (partial(Tape, forgets="_fused_adam_"), "wrong by"),
    "a step without its losses": (partial(Tape, forgets="aten.stack"), "wrong by nan"),
    "a step that draws nothing": (partial(Tape, forgets="aten.randint"), "draws other random numbers"),
}


@pytest.mark.parametrize("bundle", ["eg3d"], indirect=True)
@pytest.mark.parametrize("name", REFUSALS)
def test_steps_go_on_where_recording_fails(bundle, views, there, monkeypatch, name):
    make, told = REFUSALS[name]
    if name == "a host that reads":
        monkeypatch.setattr(reconstruction, "pixel_terms", lambda error, *rest: [pixel_terms(error, *rest), error.sum().item()][0])
    task, recorder, both = problem(bundle, views, "fast"), make(there), ("pose", "latents")
    plain = fitted(task, None, both)
    with pytest.warns(Inv3dWarning, match=f"steps are not repeated as CUDA graphs: .*{told}") as warned:
        assert same(plain, fitted(task, recorder, both))
    assert len(warned) == 1 and not recorder.works


@pytest.mark.parametrize("bundle", ["grid"], indirect=True)
def test_memory_that_was_given_back_is_found_out(bundle, views, there, monkeypatch):
    monkeypatch.setattr(Guide, "become", lambda self, other: object.__setattr__(self, "density", other.density))
    with pytest.raises(GivenBackError):
        fitted(problem(bundle, views, "fast"), Tape(there), ["pose"])


@pytest.mark.parametrize("bundle", ["eg3d"], indirect=True)
def test_steps_with_the_warping_loss_are_not_recorded(bundle, views, there):
    tape = Tape(there)
    fitted(problem(bundle, views, "fast", warping=0.1), tape, ["pose", "latents"])
    assert tape.recorded == 1


def counted(recorder, number):
    """A tensor after five steps along a `number` of each, which is given to the step as the host has it."""
    x = torch.zeros(1, device=DEVICE, requires_grad=True)
    random, seen = torch.Generator(DEVICE).manual_seed(0), []

    def begin(step):
        seen.append(number(step))

    def passes(_):
        yield {"away": (seen[-1] * x).sum()}

    with mock.patch.object(loop, "recorder_on", lambda device: recorder):
        optimise([([x], 0.1)], begin, passes, 5, "", silent, random=random)
    return float(x.detach())


def test_numbers_of_the_host_are_frozen(there):
    """The stand-in keeps them as a graph would: that steps come to the same is no accident."""
    assert counted(None, lambda step: 1.0) == counted(Tape(there), lambda step: 1.0)
    assert counted(None, lambda step: 1.0 - step) != counted(Tape(there), lambda step: 1.0 - step)


def test_graphs_are_for_gpus_and_on_demand(monkeypatch):
    monkeypatch.setattr(graphs, "_gpu", lambda device: device)
    found: list[Any] = []
    for value in (None, "0", "1"):
        monkeypatch.delenv(VARIABLE, raising=False) if value is None else monkeypatch.setenv(VARIABLE, value)
        found += [recorder_on(torch.device(name)) for name in ("cpu", "cuda:0")]
    assert found == [None] * 5 + [torch.device("cuda:0")]


class Cuda:
    """What `torch.cuda` is asked for, in order."""

    def __init__(self, fails):
        self.fails, self.asked = fails, []

    def Stream(self, device):
        return mock.Mock(wait_stream=lambda other: self.asked.append("ours waits"))

    def current_stream(self, device):
        return mock.Mock(wait_stream=lambda other: self.asked.append("usual waits"))

    @contextmanager
    def stream(self, stream):
        self.asked.append("stream")
        try:
            yield
        finally:
            self.asked.append("stream left")

    def CUDAGraph(self):
        return mock.Mock(register_generator_state=lambda random: self.asked.append(random.name), replay="replay")

    @contextmanager
    def graph(self, graph, stream):
        self.asked.append("begin")
        yield
        if self.fails:
            raise RuntimeError("capture failed")
        self.asked.append("end")


class Random:
    name = "draws"

    def __init__(self, asked):
        self.asked = asked

    def clone_state(self):
        return "clone"

    def graphsafe_set_state(self, state):
        self.asked.append(state)


@pytest.mark.parametrize("fails", [False, True])
def test_a_gpu_records_on_a_stream_of_its_own(monkeypatch, fails):
    cuda = Cuda(fails)
    monkeypatch.setattr(torch, "cuda", cuda)
    gpu: Any = Gpu(torch.device("cuda"))
    with pytest.raises(RuntimeError, match="capture failed") if fails else nullcontext(), gpu.aside():
        assert gpu.record(lambda: cuda.asked.append("step"), Random(cuda.asked)) == ("replay", None)
    done = ["stream left", "clone"] if fails else ["end", "stream left"]
    assert cuda.asked == ["ours waits", "stream", "draws", "stream", "begin", "step", *done, "stream left", "usual waits"]
