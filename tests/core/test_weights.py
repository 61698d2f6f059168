import struct

import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from inv3d.core.errors import ModelError
from inv3d.core.weights import MOST_ROWS, has_tensor, load_module, read_tensors

EXPECTED = {"a": (2, 3), "rows": (None, 4)}
A, ROWS = torch.arange(6.0).reshape(2, 3), torch.ones(5, 4)


def refuse(why):
    return ModelError(f"the file cannot be loaded: {why}", "hint")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.safetensors"


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_what_fits_is_read_as_float32(kind, path):
    save_file({"a": A.to(kind), "rows": ROWS.to(kind)}, path)
    tensors = read_tensors(path, EXPECTED, refuse)
    assert torch.equal(tensors["a"], A) and torch.equal(tensors["rows"], ROWS)
    assert all(tensor.dtype == torch.float32 for tensor in tensors.values())


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"a": A}, "rows is missing"),
        ({"a": A, "rows": ROWS, "b": A + 1}, "b is unknown"),
        ({"a": A, "rows": ROWS, "b\n\x1b[2J" + "x" * 500: A + 1}, r"b\\n\\x1b\[2Jxxx.*\.\.\. is unknown"),
        ({"a": A.t().contiguous(), "rows": ROWS}, r"a has shape \[3, 2\], not \[2, 3\]"),
        ({"a": A.flatten(), "rows": ROWS}, r"a has shape \[6\]"),
        ({"a": A, "rows": torch.ones(MOST_ROWS + 1, 4)}, r"rows has shape .*, not \[any, 4\]"),
        ({"a": A.int(), "rows": ROWS}, "a contains I32, not F32 numbers"),
        ({"a": A.bool(), "rows": ROWS}, "a contains BOOL"),
        ({"a": A * torch.nan, "rows": ROWS}, "a contains NaN or infinity"),
        ({"a": A / 0.0, "rows": ROWS}, "a contains NaN or infinity"),
        ({"a": A.double() * 1e300, "rows": ROWS}, "a contains NaN or infinity"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tensors, said, path):
    save_file(tensors, path)
    with pytest.raises(ModelError, match=said) as caught:
        read_tensors(path, EXPECTED, refuse)
    assert caught.value.message.isprintable()


def test_a_tensor_is_looked_up_by_name(path):
    save_file({"a": A}, path)
    assert has_tensor(path, "a", refuse) and not has_tensor(path, "b", refuse)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ModelError, match="damaged"):
        has_tensor(path, "a", refuse)


def test_optional_tensors_may_be_missing(path):
    save_file({"a": A}, path)
    assert list(read_tensors(path, EXPECTED, refuse, optional={"rows"})) == ["a"]


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "header", "length", "missing", "folder"])
def test_a_damaged_file_is_refused(damage, path):
    save_file({"a": A, "rows": ROWS}, path)
    data = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        texts = {
            "empty": b"", "cut": data[:-9], "text": b"<html>" * 99, "header": data[:8] + b"[" * (len(data) - 8),
            "length": struct.pack("<Q", 2**63) + data[8:],
        }  # fmt: skip
        path.write_bytes(texts[damage])
    with pytest.raises(ModelError, match=r"damaged or cut off|missing|not a file"):
        read_tensors(path, EXPECTED, refuse)


def test_a_module_gets_the_weights_of_its_file(path):
    module = nn.Linear(3, 2)
    save_file(module.state_dict(), path)
    loaded = load_module(lambda: nn.Linear(3, 2), path, refuse, "cpu")
    assert torch.equal(loaded.weight, module.weight) and not loaded.weight.requires_grad and not loaded.training


@pytest.mark.parametrize(("inputs", "said"), [(4, "weight has shape"), (10**9, "larger than any model")])
def test_no_module_is_made_before_its_file_fits(inputs, said, path):
    save_file(nn.Linear(3, 2).state_dict(), path)
    devices = []

    def make():
        module = nn.Linear(inputs, 2)
        devices.append(module.weight.device.type)
        return module

    with pytest.raises(ModelError, match=said):
        load_module(make, path, refuse, "cpu")
    assert devices == ["meta"]


def test_a_folder_whose_name_is_not_utf_8(tmp_path):
    folder = tmp_path / "odd\udcff"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system takes no such names")
    (folder / "x.safetensors").write_bytes(save({"a": A, "rows": ROWS}))
    assert torch.equal(read_tensors(folder / "x.safetensors", EXPECTED, refuse)["a"], A)
