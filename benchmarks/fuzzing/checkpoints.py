"""Damaged checkpoints: what `inv3d models import` and `import-encoder` read, in every layout of public code."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from fuzzing.damage import _NUMBERS, _OTHERS, Random, damaged_bytes, damaged_data, damaged_safetensors, pick
from inv3d.core.bundle import load_bundle, read_info
from inv3d.core.checkpoints.eg3d import Checkpoint, Layout
from inv3d.core.checkpoints.read import to_safetensors
from inv3d.core.encoders import imports
from inv3d.core.encoders.pyramid import EncoderConfig, build_encoder
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.imports import Import, import_checkpoint

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.core.checkpoints import writer as w
from tests.core.checkpoints.small import small_config, small_options

_ENCODER = "encoder.pt"
_SMALL = EncoderConfig("last-layer", widths=(8, 8, 8, 8), units=(1, 1, 1, 1), style_width=8, code_width=8)
_OPCODES = b"().0122JKMGNXUTCBqrhj\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x80\x95\x94]}\x8ftldaesu\x90\x91c\x93R\x81\x92bQ\x82\x83\x84\x96FILSVgpPio"
_NAMES = [
    ("posix", "system"), ("builtins", "eval"), ("builtins", "set"), ("__builtin__", "set"), ("_codecs", "encode"),
    ("collections", "OrderedDict"), ("dnnlib.util", "EasyDict"), ("torch._utils", "_rebuild_tensor_v2"),
    ("torch.storage", "_load_from_bytes"), ("torch_utils.persistence", "_reconstruct_persistent_obj"),
    ("numpy.core.multiarray", "scalar"), ("numpy.core.multiarray", "_reconstruct"), ("numpy", "dtype"),
    ("torch", "FloatStorage"), ("training.triplane", "OSGDecoder"), ("torch.nn.modules.module", "torch.os.system"),
]  # fmt: skip
_PREFIXES = ["", "", "module.", "decoder.", "G_ema.", "encoder.", "a.b.c.", "backbone.", "x", "\x1b[2J.", "x" * 3000]
_KEYS = ["G_ema", "g_ema", "G", "D", "state_dict", "init_kwargs", "G_init_kwargs", "rendering_kwargs", "opts", "", "\n"]


class Kind:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.environ["INV3D_HOME"] = str(folder / "home")
        torch.manual_seed(0)
        network = TriplaneGenerator(small_config())
        self.state = {name: tensor.detach() for name, tensor in network.state_dict().items()}
        self.parameters = {name for name, _ in network.named_parameters()}
        self.bundle = load_bundle("demo")
        imports._PUBLIC = _SMALL
        config = replace(_SMALL, num_ws=self.bundle.generator.code_space.num_ws, w_dim=self.bundle.info.generator.w_dim)
        encoder = build_encoder(config)
        self.encoder = {f"encoder.{name}": tensor.detach() for name, tensor in encoder.state_dict().items()}
        sound = {name: tensor.contiguous() for name, tensor in self.state.items()}
        own = Checkpoint(Layout(small_config(), 2.7, (0.0, 0.0, 0.2)), sound)
        self.safetensors = [save(sound), to_safetensors(own)]
        self.whole = [self._written(write, self._module()) for write in (w.eg3d_pickle, w.torch_zip, w.torch_stream)]
        self.whole += [self._written(write, w.ordered(self.state)) for write in (w.torch_zip, w.torch_stream)]

    def make(self, random: Random) -> Path:
        makers: list[tuple[float, Callable[[Random], bytes]]] = [
            (0.30, self._damaged_file), (0.10, self._damaged_pickle), (0.30, self._damaged_value),
            (0.12, lambda random: damaged_safetensors(random, pick(random, self.safetensors))),
            (0.10, self._soup), (0.08, self._bomb),
        ]  # fmt: skip
        shares = [share for share, _ in makers]
        _, maker = makers[int(random.choice(len(makers), p=shares))]
        path = self.folder / "damaged.pkl"
        path.write_bytes(maker(random))
        if random.random() < 0.15:
            path.unlink()
            path = self.folder / _ENCODER
            value = {"state_dict": w.ordered(self.encoder), "opts": _namespace(), "latent_avg": torch.zeros(3)}
            data = self._written(w.torch_zip, _changed(random, value) if random.random() < 0.6 else value)
            path.write_bytes(data if random.random() < 0.4 else damaged_bytes(random, data))
        return path

    def read(self, path: Path) -> None:
        if path.name == _ENCODER:
            imports.read_public_encoder(path, self.bundle)
            return
        import_checkpoint(Import(path, "damaged", "shapenetcars", force=True))
        read_info("damaged")

    def _written(self, write: Callable[[Path, Any], Path], value: Any) -> bytes:
        path = self.folder / "written"
        try:
            return write(path, value).read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def _module(self, options: dict[str, Any] | None = None, **attributes: Any) -> w.Made:
        axes = torch.eye(3).expand(3, 3, 3).contiguous()
        return w.generator(self.state, self.parameters, options or small_options(), axes, **attributes)

    def _damaged_file(self, random: Random) -> bytes:
        return damaged_bytes(random, pick(random, self.whole))

    def _damaged_pickle(self, random: Random) -> bytes:
        """Damage where names and numbers of a pickle stand, not in the weights."""
        raw = bytearray(pick(random, self.whole))
        for _ in range(int(random.integers(1, 4))):
            mark = pick(
                random, [b"_rebuild", b"_init_kwargs", b"backbone", b"data.pkl", b"PK\1\2", b"storage", b"scalar"]
            )
            at = raw.find(mark, int(random.integers(len(raw))))
            at = raw.find(mark) if at < 0 else at
            raw[max(at, 0) : max(at, 0) + 64] = damaged_bytes(random, bytes(raw[max(at, 0) : max(at, 0) + 64]))
        return bytes(raw)

    def _damaged_value(self, random: Random) -> bytes:
        """Options and records of other types and sizes, keys and prefixes that none has, in any layout."""
        write = pick(random, [w.eg3d_pickle, w.torch_zip, w.torch_stream])
        options = damaged_data(random, small_options()) if random.random() < 0.7 else small_options()
        options = options if isinstance(options, dict) else {"z_dim": options}
        value: Any
        match int(random.integers(4)):
            case 0:
                later = damaged_data(random, small_options()["rendering_kwargs"])
                value = w.snapshot(self._module(options, rendering_kwargs=later))
            case 1:
                value = {pick(random, _KEYS): w.ordered(self.state), pick(random, _KEYS): options}
            case 2:
                prefix = pick(random, _PREFIXES)
                value = {"state_dict": w.ordered({prefix + name: tensor for name, tensor in self.state.items()})}
            case _:
                value = self._module(options)
        for _ in range(int(random.integers(3))):
            value = _changed(random, value)
        return self._written(write, value)

    def _soup(self, random: Random) -> bytes:
        """Instructions of pickles in any order, with numbers of any size."""
        parts = [b"\x80" + bytes([int(random.integers(2, 6))])]
        for _ in range(int(random.integers(1, 400))):
            match int(random.integers(6)):
                case 0:
                    module, name = pick(random, _NAMES)
                    parts.append(f"c{module}\n{name}\n".encode())
                case 1:
                    parts.append(b"X" + struct.pack("<I", 3) + bytes(random.bytes(3)))
                case 2:
                    parts.append(b"K" + random.bytes(1))
                case 3:
                    parts.append(bytes(random.bytes(int(random.integers(1, 5)))))
                case _:
                    parts.append(bytes([pick(random, list(_OPCODES))]))
        return b"".join([*parts, b"."])

    def _bomb(self, random: Random) -> bytes:
        """Small files that would grow, deepen or hang."""
        size = int(2 ** random.uniform(4, 20))
        bombs: list[Callable[[], bytes]] = [
            lambda: b"\x80\x04}" + b")" + b"2\x86" * size + b"Ns.",
            lambda: b"\x80\x04\x8f(" + b")" + b"2\x86" * size + b"\x90.",
            lambda: b"\x80\x04" + b"]" * size + b"a" * (size - 1) + b".",
            lambda: b"\x80\x04" + b"}X\1\0\0\0G" * size + b"N" + b"s" * size + b".",
            lambda: b"\x80\x04N" + b"\x94" * size + b".",
            lambda: b"\x80\x04N" + b"".join(b"r" + struct.pack("<I", i * 4099 % 2**32) for i in range(size // 5)) + b".",
            lambda: b"\x80\x04}(" + b"".join(_hash_zero(i) for i in range(size // 12)) + b"u.",
            lambda: b"\x80\x04\x8d" + struct.pack("<Q", 2**63 - size) + b"x" * size,
            lambda: b"PK\3\4" + b"\0" * 26 + b"PK\1\2" * size + b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 65535, 65535, 4 * size, 30, 0),
            lambda: self._written(w.torch_zip, _deep_module(size)),
            lambda: struct.pack("<Q", size) + b'{"a":' * (size // 5) + b"}",
            lambda: struct.pack("<Q", 2 * size) + b'{"__metadata__":{"inv3d":"' + b"[" * (2 * size - 30) + b'"}}',
        ]  # fmt: skip
        return pick(random, list(bombs))()


def _namespace() -> w.Made:
    return w.Made(w.Named("argparse", "Namespace"), (), {"encoder_type": "WPlusEncoder"}, new=True)


def _hash_zero(k: int) -> bytes:
    return b"\x8a\x0b" + (((1 << 61) - 1) * k).to_bytes(11, "little") + b"N"


def _deep_module(depth: int) -> Any:
    """Modules in modules; no deeper than the writer, which calls itself, can go."""
    value: Any = w.of_module({}, {}, {})
    for _ in range(min(depth, 25)):
        value = w.of_module({}, {}, {"backbone": w.persistent(value)})
    return w.persistent(value)


def _strange(random: Random) -> Any:
    """Something that does not belong where it is put."""
    values: list[Any] = [
        *_NUMBERS, *_OTHERS, w.Raw(b")" + b"2\x86" * 50), w.Raw(b"]\x94h\0a"), w.Raw(b"]" * 500 + b"a" * 499),
        w.Named("posix", "system"), w.Made(w.Named("posix", "system"), ("true",)), torch.full((3, 3, 3), torch.nan),
        torch.zeros(0), torch.zeros(5), w.Outside(("storage", w.Named("torch", "FloatStorage"), "0", "cpu", 10**9)),
        w.Outside(("x",)), w.array(torch.eye(3).numpy()), w.ordered({}), set(), b"\xff" * 9, "auto", "softplus",
        w.rebuilt(w.nested(b"\x80\x02N."), (3,), (1,)), w.rebuilt(w.nested(b""), (2**62, 2**62), (0, 0)),
    ]  # fmt: skip
    return pick(random, values)


def _changed(random: Random, value: Any) -> Any:
    """`value` in which one part, anywhere, is lost or something else."""
    if random.random() < 0.05:
        return _strange(random)
    if isinstance(value, dict) and value:
        key = pick(random, list(value))
        if random.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if random.random() < 0.1:
            return {**value, pick(random, [*_KEYS, 3, None, "x.weight", "dataset_label_std"]): _strange(random)}
        return {**value, key: _changed(random, value[key])}
    if isinstance(value, list | tuple) and value:
        at = int(random.integers(len(value)))
        return type(value)(_changed(random, part) if i == at else part for i, part in enumerate(value))
    if isinstance(value, w.Made):
        if value.state is not None and random.random() < 0.6:
            return w.Made(value.maker, value.arguments, _changed(random, value.state), value.items, value.new)
        if value.items:
            items = _changed(random, value.items)
            if isinstance(items, dict):
                return w.Made(value.maker, value.arguments, value.state, items, value.new)
        return w.Made(value.maker, _changed(random, value.arguments), value.state, value.items, value.new)
    if isinstance(value, torch.Tensor) and random.random() < 0.5:
        record = w.rebuilt(w.Writer(2).storage(value), tuple(value.shape), tuple(value.stride()))
        return w.Made(record.maker, _changed(random, record.arguments))
    return _strange(random)
