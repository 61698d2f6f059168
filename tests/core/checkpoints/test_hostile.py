"""Files that want to harm: each is refused with one line, runs nothing, and takes little memory and time."""

import io
import pickle
import struct
import time
import tracemalloc
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from inv3d.core.checkpoints.read import read_checkpoint
from inv3d.core.errors import ModelError

from .writer import (
    Made,
    Named,
    Outside,
    Writer,
    eg3d_pickle,
    generator,
    nested,
    ordered,
    rebuilt,
    snapshot,
    torch_stream,
    torch_zip,
)

MARK = "inv3d-was-here"
LIMIT = 5.0  # seconds


def call(name: str, *arguments: object) -> Made:
    """A call of any function."""
    module, _, attribute = name.rpartition(".")
    return Made(Named(module, attribute), arguments)


SHELL = call("posix.system", f"touch {MARK}")


def dumped(value: object, protocol: int = 4) -> bytes:
    return Writer(protocol).dump(value)


def ops(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def stack_global(module: str, name: str) -> bytes:
    """A call of a function whose name lies on the stack."""
    texts = [b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)]
    return ops(*texts, b"\x93\x8c\x02ls\x85R")


def with_hook(value: object) -> Made:
    tensor = rebuilt(Writer(4).storage(torch.zeros(2)), (2,), (1,))
    tensor.arguments = (*tensor.arguments[:-1], value)
    return tensor


HOSTILE = {
    "a call": dumped(SHELL),
    "a nested call": dumped({"G_ema": {"state": [1, (2, {"x": SHELL})]}}),
    "a call in a hook": dumped({"G_ema": with_hook(SHELL)}),
    "a call in a build": dumped({"G_ema": Made(Named("collections", "OrderedDict"), (), SHELL)}),
    "a call in a storage": dumped({"G_ema": rebuilt(nested(dumped(SHELL)), (2,), (1,))}),
    "getattr": dumped(call("builtins.getattr", call("builtins.__import__", "os"), "system")),
    "eval": stack_global("builtins", "eval"),
    "a walk through a module": stack_global("torch.nn.modules.module", "torch.os.system"),
    "a function of torch": stack_global("torch", "load"),
    "a function that looks like a network's": stack_global("os.training", "system"),
    "a pickle in numpy": stack_global("numpy", "load"),
    "a codec that runs code": dumped(call("_codecs.encode", "x", "rot13")),
    "the registry of extensions": b"\x80\x02\x82\x01.",
    "the old way to make objects": b"(S'ls'\nios\nsystem\n.",
    "the text way to make objects": b"(Vls\no.",
    "a persistent id": b"Pos.system\n.",
    "nothing but a stop": ops(),
    "a mark": ops(b"("),
    "noise": bytes(range(1, 256)) * 4,
    "half of a pickle": pickle.dumps({"G_ema": list(range(100))})[:60],
    "a claim of 2 GB": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 31) + b"x" * 1000,
    "a frame of 2 GB": b"\x80\x04\x95" + struct.pack("<Q", 1 << 31) + b"x" * 1000,
    "a memo of 4 billion entries": ops(b"Nr\xff\xff\xff\xff"),
    "a long number": b"\x80\x02\x8b" + struct.pack("<i", (1 << 31) - 1) + b"\xff" * 100,
    "a name that is no text": ops(b"X\x02\0\0\0\xff\xff"),
    "no dictionary": pickle.dumps([1, 2, 3]),
    "no generator": pickle.dumps({"D": None}),
    "a number with 600 digits": ops(b"\x8a\xff" + b"\x7f" * 255),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_it_is_refused_and_nothing_runs(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pkl").write_bytes(HOSTILE[case])
    tracemalloc.start()
    try:
        with pytest.raises(ModelError) as caught:
            read_checkpoint(tmp_path / "bad.pkl")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in caught.value.message and len(caught.value.message) < 160
    assert not (tmp_path / MARK).exists()


def doubled(start: bytes, times: int) -> bytes:
    """A tuple of two tuples that are one, and so on: tiny, with 2^times leaves."""
    return start + b"2\x86" * times


def deep(times: int) -> bytes:
    return b"]" * times + b"a" * (times - 1)


def colliding(count: int) -> bytes:
    """Whole numbers that all have the hash 0."""
    numbers = (((1 << 61) - 1) * k for k in range(count))
    return b"}(" + b"".join(b"\x8a\x0b" + n.to_bytes(11, "little") + b"N" for n in numbers) + b"u"


BOMBS = {
    "tuples of tuples as a key": ops(b"}", doubled(b")", 60), b"Ns"),
    "tuples of tuples in a set": ops(b"\x8f(", doubled(b")", 60), b"\x90"),
    "tuples of tuples in a frozen set": ops(b"(", doubled(b")", 60), b"\x91"),
    "tuples of tuples as a storage": ops(b"(X\x07\0\0\0storage", doubled(b")", 60), b"tQ"),
    "tuples of tuples as an option": dumped({"G_ema": 1})[:-2] + doubled(b")", 60) + b"s.",
    "keys whose hashes collide": ops(colliding(5000)),
    "many numbers as keys": ops(b"}(", *(b"J" + struct.pack("<i", k) + b"N" for k in range(20_000)), b"u"),
    "many lists": ops(b"]" * 300_000),
    "lists in lists": ops(deep(120_000)),
    "a list in itself": ops(b"]\x94h\0a"),
    "a dictionary in itself": ops(b"}\x94X\x01\0\0\0Gh\0s"),
    "many names in the memo": ops(b"N", b"\x94" * 300_000),
    "much text": ops(*[b"X" + struct.pack("<I", 1 << 20) + b"x" * ((1 << 20) - 4) + "\U0001f600".encode()] * 20),
}


@pytest.mark.parametrize("case", BOMBS)
def test_small_files_do_not_take_long_or_much(case, tmp_path):
    (tmp_path / "bad.pkl").write_bytes(BOMBS[case])
    start = time.process_time()
    with pytest.raises(ModelError):
        read_checkpoint(tmp_path / "bad.pkl", like="ffhq")
    assert time.process_time() - start < LIMIT


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def crowd(count: int) -> bytes:
    """Thousands of modules in one, each with the same large dictionary of parameters."""
    large = b"}(" + b"".join(text(f"n{i}") + b"K\0" for i in range(count)) + b"u\x940"
    one = b"ctraining.x\nY\n)\x81}" + text("_parameters") + b"h\0sb"
    children = b"}(" + text("backbone") + one + b"".join(text(f"m{i}") + one for i in range(count)) + b"u"
    return large + b"ctraining.x\nY\n)\x81}" + text("_modules") + children + b"sb"


def prefixes(count: int) -> bytes:
    """Weights of thousands of generators, each of one tensor, which is the same."""
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(NK\0)))tR\x940"
    names = b"".join(text(f"{i}.backbone.mapping.w_avg") + b"h\0" for i in range(count))
    return tensor + b"}(" + names + b"u"


WALKS = {
    "one large dictionary in thousands of modules": crowd(10_000),
    "weights of thousands of generators": prefixes(60_000),
    "a dictionary in thousands of places": b"}(" + b"".join(text(f"n{i}") + b"N" for i in range(20_000)) + b"u\x940}("
    + b"".join(text(f"m{i}") + b"}" + text("a") + b"h\0s" for i in range(20_000)) + b"u",
    "tuples of tuples as the argument of a key": b"}(ctraining.x\nY\n(" + doubled(b")", 60) + b"tR}" + text("rendering_kwargs")
    + b"}s" + text("backbone.mapping.w_avg") + b"ctorch._utils\n_rebuild_tensor_v2\n(NK\0)))tRu",
    "a large set in thousands of modules": b"](" + b"N" * 20_000 + b"e\x940ctraining.x\nY\n)\x81}" + text("_modules") + b"}("
    + text("backbone") + b"".join(
        (text(f"m{i}") if i else b"") + b"ctraining.x\nY\n)\x81}" + text("_non_persistent_buffers_set") + b"h\0sb"
        for i in range(15_000)
    ) + b"usb",
}  # fmt: skip


@pytest.mark.parametrize("case", WALKS)
def test_what_is_in_many_places_is_not_looked_at_for_ever(case, tmp_path):
    (tmp_path / "bad.pkl").write_bytes(ops(WALKS[case]))
    start = time.process_time()
    with pytest.raises(ModelError) as caught:
        read_checkpoint(tmp_path / "bad.pkl", like="ffhq")
    assert "damaged (" not in caught.value.message, "the file is not what it is meant to be"
    assert time.process_time() - start < LIMIT


@pytest.fixture
def changed(small, parameters, options, tmp_path):
    """Writes a checkpoint in which the decoder's first weight is something else, or after a change to its modules."""

    def write(weight=None, change=None):
        state = dict(small.state_dict())
        if weight is not None:
            state["decoder.net.0.weight"] = weight
        module = generator(state, parameters, options)
        if change is not None:
            change(module.arguments[0].items["state"])
        return eg3d_pickle(tmp_path / "bad.pkl", snapshot(module))

    return write


def stream(count: int, held: bytes) -> Made:
    """A storage in EG3D's way, which claims `count` numbers and holds `held`."""
    inner = Writer(2, "legacy")
    inner.storages, inner.counts = [held], [count]
    return nested(inner.stream(Outside(("storage", Named("torch", "FloatStorage"), "0", "cpu", count, None))))


@pytest.mark.parametrize(
    ("storage", "size", "stride", "message"),
    [
        (stream(10**12, b"\0" * 64), (64, 32), (32, 1), "claims 1000000000000 numbers"),
        (stream(16, b"\0" * 64), (64, 32), (32, 1), "reaches beyond"),
        (stream(1, b"\0" * 4), (64, 32), (0, 0), "reaches beyond"),
        (stream(2048, b"\0" * 8192), (64, 32), (10**9, 1), "reaches beyond"),
        (stream(2048, b"\0" * 8192), (64, 32), (1 << 63, 1), "is damaged"),
        (stream(2048, b"\0" * 8192), (-1, 2), (1, 1), "is damaged"),
        (stream(2048, b"\0" * 8192), (1,) * 100, (1,) * 100, "is damaged"),
        (nested(dumped(SHELL)), (64, 32), (32, 1), "would call 'posix.system'"),
        (nested(b""), (64, 32), (32, 1), "cut off"),
        (nested([1, 2]), (64, 32), (32, 1), "a storage is damaged"),
        ("storage", (64, 32), (32, 1), "a storage is damaged"),
    ],
)
def test_tensors_that_lie_are_refused(changed, storage, size, stride, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(changed(rebuilt(storage, size, stride)))
    assert not (tmp_path / MARK).exists()


def chain(depth: int) -> Made:
    inner = ordered({})
    for _ in range(depth):
        inner = ordered({"x" * 100: Made(Named("training.x", "Y"), (), {"_modules": inner}, new=True)})
    return inner


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: root["_modules"].items.update(x=SHELL), "would call 'posix.system'"),
        (lambda root: root["_modules"].items.update(x=[1]), "module 'x.' is damaged"),
        (lambda root: root["_modules"].items.update(chain(40).items), "is damaged"),
    ],
)
def test_modules_that_lie_are_refused(changed, change, message):
    with pytest.raises(ModelError, match=message):
        read_checkpoint(changed(change=change))


def test_modules_that_hold_each_other_are_refused(tmp_path):
    name = b"ctraining.x\nY\n)\x81\x94}X\x08\0\0\0_modules}X\x08\0\0\0backboneh\0sX\x01\0\0\0xh\0sssb"
    (tmp_path / "x").write_bytes(b"\x80\x04" + name.replace(b"sssb", b"ssb") + b".")
    with pytest.raises(ModelError, match=r"contain each other|is damaged"):
        read_checkpoint(tmp_path / "x")


@pytest.mark.parametrize(
    ("entries", "packed", "message"),
    [
        ({"a/data.pkl": b"N.", "../../outside": b"x"}, False, "points outside"),
        ({"a/data.pkl": b"N.", "/etc/outside": b"x"}, False, "points outside"),
        ({"a/data.pkl": b"N." + b"\0" * 10**6}, True, "is compressed"),
        ({"a/other": b"x"}, False, "a zip archive, but not a `torch.save` file"),
        ({"ffhq.pkl": bytes(100)}, True, "a zip archive, but not a `torch.save` file"),
        ({"a/data.pkl": b"N.", "a/constants.pkl": b")."}, True, "TorchScript"),
        ({"a/data.pkl": b"N.", "b/data.pkl": b"N."}, False, "not a `torch.save` file"),
        ({"a/data.pkl": dumped(SHELL)}, False, "would call"),
        ({"a/data.pkl": b"N.", "a/byteorder": b"big"}, False, "byte order"),
    ],
)
def test_archives_that_lie_are_refused(tmp_path, entries, packed, message):
    with zipfile.ZipFile(tmp_path / "bad.pt", "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(tmp_path / "bad.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pt"]


def test_names_in_archives_need_not_be_text(small, tmp_path):
    for flag in (0x800, 0):  # with and without the mark of UTF-8
        raw = torch_zip(tmp_path / "x.pt", ordered(small.state_dict())).read_bytes()
        head, central = raw.index(b"PK\3\4"), raw.index(b"PK\1\2")
        damaged = bytearray(raw)
        for place, offset in ((head, 6), (central, 8)):
            damaged[place + offset : place + offset + 2] = struct.pack("<H", flag)
        for place in (raw.index(b"archive/data.pkl"), raw.index(b"archive/data.pkl", central)):
            damaged[place : place + 3] = b"\xff\xfe\xfd"
        for end in (central, len(raw)):
            (tmp_path / "bad.pt").write_bytes(damaged[:end] + raw[end:])
            with pytest.raises(ModelError):
                read_checkpoint(tmp_path / "bad.pt", like="shapenetcars")


def test_an_archive_with_a_million_entries_is_not_listed(tmp_path):
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    listing = entry * 1_000_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, len(listing), 4, 0)
    (tmp_path / "bad.pt").write_bytes(b"PK\3\4" + listing + end)
    start = time.process_time()
    with pytest.raises(ModelError, match="damaged"):
        read_checkpoint(tmp_path / "bad.pt")
    assert time.process_time() - start < LIMIT


def test_entries_that_overlap_do_not_multiply(small, tmp_path):
    """Every storage of an archive may lie in one entry's bytes; together they are still no larger than the file."""
    state = {f"decoder.net.{i}.weight": torch.zeros(1) for i in range(200)}
    raw = torch_zip(tmp_path / "x.pt", ordered({**state, "decoder.net.0.bias": torch.zeros(1 << 18)})).read_bytes()
    assert len(raw) < 2 << 20
    tracemalloc.start()
    try:
        with pytest.raises(ModelError):
            read_checkpoint(tmp_path / "x.pt", like="ffhq")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """Sound files of every kind."""
    from .small import small_options

    folder = tmp_path_factory.mktemp("whole")
    parameters = {name for name, _ in small.named_parameters()}
    state = {name: tensor for name, tensor in small.state_dict().items() if name.startswith("decoder.")}
    eg3d_pickle(folder / "eg3d.pkl", snapshot(generator(state, parameters, small_options())))
    torch_zip(folder / "zip.pt", ordered(state))
    torch_stream(folder / "stream.pt", ordered(state))
    save_file({name: tensor.clone() for name, tensor in state.items()}, folder / "x.safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["eg3d.pkl", "zip.pt", "stream.pt", "x.safetensors"])
@given(
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9)), min_size=1, max_size=6),
    cut=st.floats(0.0, 3.0),
)
@settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_fail_in_one_way_only(whole, tmp_path, name, changes, cut):
    """Whatever is overwritten or cut off, the file, which lacks half of its network, is refused and nothing else."""
    data = bytearray(whole[name])
    for place, piece in changes:
        start = place % len(data)
        data[start : start + len(piece)] = piece
    (tmp_path / "damaged").write_bytes(data[: int(cut * len(data)) if cut < 1.0 else len(data)])
    with pytest.raises(ModelError):
        read_checkpoint(tmp_path / "damaged", like="ffhq")


def test_reading_needs_no_more_memory_than_twice_the_file(small, parameters, options, tmp_path):
    file = io.BytesIO(Writer(4).dump(snapshot(generator(small.state_dict(), parameters, options))))
    (tmp_path / "x").write_bytes(file.getvalue())
    size = len(file.getvalue())
    read_checkpoint(tmp_path / "x")
    tracemalloc.start()
    try:
        read_checkpoint(tmp_path / "x")
        assert tracemalloc.get_traced_memory()[1] < 2 * size + (1 << 20)
    finally:
        tracemalloc.stop()
