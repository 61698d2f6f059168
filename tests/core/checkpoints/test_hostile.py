"""Files that want to harm: each is refused with one line, runs nothing, and takes little memory and time."""

import builtins
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from inv3d.core.checkpoints.read import read_checkpoint
from inv3d.core.errors import ModelError

from .conftest import tree, write_eg3d

MARK = "inv3d-was-here"


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def shell() -> Call:
    return Call(os.system, f"touch {MARK}")


def named(module: str, name: str) -> bytes:
    """A pickle that calls a function by any name."""
    parts = [b"\x80\x04"]
    for text in (module, name):
        parts.append(b"\x8c" + bytes([len(text)]) + text.encode())
    return b"".join([*parts, b"\x93\x8c\x02ls\x85R."])


def with_hook() -> bytes:
    storage = torch.zeros(2).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    return pickle.dumps({"G_ema": Call(torch._utils._rebuild_tensor_v2, typed, 0, (2,), (1,), False, shell())})


def in_storage() -> bytes:
    inner = Call(torch.storage._load_from_bytes, pickle.dumps(shell()))
    return pickle.dumps({"G_ema": Call(torch._utils._rebuild_tensor_v2, inner, 0, (2,), (1,), False, OrderedDict())})


HOSTILE = {
    "a call": pickle.dumps(shell()),
    "a nested call": pickle.dumps({"G_ema": {"state": [1, (2, {"x": shell()})]}}),
    "a call in a hook": with_hook(),
    "a call in a build": pickle.dumps({"G_ema": Call(OrderedDict, [("x", shell())])}),
    "getattr": pickle.dumps(Call(getattr, Call(builtins.__import__, "os"), "system")),
    "eval": named("builtins", "eval"),
    "a walk through a module": named("torch.nn.modules.module", "torch.os.system"),
    "a function of torch": named("torch", "load"),
    "a pickle in numpy": named("numpy", "load"),
    "the registry of extensions": b"\x80\x02\x82\x01.",
    "the old way to make objects": b"(S'ls'\nios\nsystem\n.",
    "a persistent id": b"Pos.system\n.",
    "nothing": b"",
    "noise": bytes(range(256)) * 4,
    "half of a pickle": pickle.dumps({"G_ema": list(range(100))})[:60],
    "a claim of 2 GB": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 31) + b"x" * 1000,
    "a frame of 2 GB": b"\x80\x04\x95" + struct.pack("<Q", 1 << 31) + b"x" * 1000,
    "a memo of 4 billion entries": b"\x80\x02Nr\xff\xff\xff\xff.",
    "a long number": b"\x80\x02\x8b" + struct.pack("<i", (1 << 31) - 1) + b"\xff" * 100,
    "no dictionary": pickle.dumps([1, 2, 3]),
    "no generator": pickle.dumps({"D": None}),
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


@pytest.fixture
def small(eg3d_names, tmp_path, tiny, options):
    """Writes a checkpoint of the decoder alone after a change to its modules."""

    def write(change):
        root = tree({n: t for n, t in tiny.state_dict().items() if n.startswith("decoder.")}, set())
        change(root)
        write_eg3d(tmp_path / "bad.pkl", root, options, 128)
        return tmp_path / "bad.pkl"

    return write


def replaced(storage_of, size=(64, 32), stride=(32, 1)):
    """Puts another record in the place of the decoder's first weight."""

    def change(root):
        layer = root._modules["decoder"]._modules["net"]._modules["0"]
        value = Call(torch._utils._rebuild_tensor_v2, storage_of, 0, size, stride, False, OrderedDict())
        layer._buffers = OrderedDict({"weight": value}) | {n: v for n, v in layer._buffers.items() if n != "weight"}

    return change


def stream(count: int, held: bytes) -> Call:
    """A storage in EG3D's way, which claims `count` numbers and holds `held`."""
    file = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(value, file, protocol=2)
    text = [b"\x80\x02(", *(b"X" + struct.pack("<I", len(t)) + t for t in (b"storage",)), b"ctorch\nFloatStorage\n"]
    text += [b"X" + struct.pack("<I", len(t)) + t for t in (b"0", b"cpu")]
    file.write(b"".join(text) + b"\x8a\x06" + struct.pack("<q", count)[:6] + b"NtQ.")
    pickle.dump(["0"], file, protocol=2)
    file.write(struct.pack("<q", count) + held)
    return Call(torch.storage._load_from_bytes, file.getvalue())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(stream(10**12, b"\0" * 64)), "claims 1000000000000 numbers"),
        (replaced(stream(16, b"\0" * 64)), "reaches beyond"),
        (replaced(stream(1, b"\0" * 4), stride=(0, 0)), "reaches beyond"),
        (replaced(stream(2048, b"\0" * 8192), stride=(10**9, 1)), "reaches beyond"),
        (replaced(stream(2048, b"\0" * 8192), size=(-1, 2), stride=(1, 1)), "is damaged"),
        (replaced(Call(torch.storage._load_from_bytes, pickle.dumps(shell()))), "wants to call 'posix.system'"),
        (lambda root: root._modules.update(decoder=root), "hold each other"),
        (lambda root: setattr(root, "_modules", OrderedDict(x=shell())), "wants to call 'posix.system'"),
    ],
)
def test_tensors_and_modules_that_lie_are_refused(small, change, message, monkeypatch, tmp_path):
    file = small(change)
    shapes = {"net.0.weight": (64, 32), "net.0.bias": (64,), "net.2.weight": (33, 64), "net.2.bias": (33,)}
    shapes = {f"decoder.{name}": shape for name, shape in shapes.items()}
    monkeypatch.setattr("inv3d.core.checkpoints.eg3d.shapes_of", lambda config: shapes)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(file)
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize(
    ("entries", "packed", "message"),
    [
        ({"a/data.pkl": b"N.", "../../outside": b"x"}, False, "points outside"),
        ({"a/data.pkl": b"N.", "/etc/outside": b"x"}, False, "points outside"),
        ({"a/data.pkl": b"N." + b"\0" * 10**6}, True, "is packed"),
        ({"a/other": b"x"}, False, "no file of `torch.save`"),
        ({"a/data.pkl": pickle.dumps(shell())}, False, "wants to call"),
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


def bare(path, tiny):
    """The decoder's weights alone, in the form that the name of the file says."""
    state = {name: tensor.clone() for name, tensor in tiny.state_dict().items() if name.startswith("decoder.")}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=path.stem == "zip")
    return path


@pytest.mark.parametrize("name", ["eg3d.pkl", "zip.pt", "stream.pt", "x.safetensors"])
@given(
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9)), min_size=1, max_size=6),
    data=st.data(),
)
@settings(max_examples=250, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_fail_in_one_way_only(small, tiny, tmp_path, name, changes, data):
    """Whatever is overwritten or cut off, the file is read or refused, and never anything else."""
    source = tmp_path / name
    if not source.exists():
        source = small(lambda root: None).rename(source) if name == "eg3d.pkl" else bare(source, tiny)
    whole = bytearray(source.read_bytes())
    for place, piece in changes:
        start = place % len(whole)
        whole[start : start + len(piece)] = piece
    end = data.draw(st.integers(0, len(whole)))
    (tmp_path / "damaged").write_bytes(whole[: end if end % 3 == 0 else len(whole)])
    with pytest.raises(ModelError):
        read_checkpoint(tmp_path / "damaged", like="ffhq")
