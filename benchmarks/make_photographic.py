"""Converts MediaPipe's networks to the form in which inv3d ships them: `python benchmarks/make_photographic.py WHEEL`.

WHEEL is that of `pip download --no-deps mediapipe==0.10.14`, whose licence (Apache-2.0) covers the three networks inside. Needs the package
`tflite`. Weights are kept in float16, as they come.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from inv3d.core.networks.blazeface import BlazeFace
from inv3d.core.networks.facemesh import FaceMesh
from inv3d.core.networks.photographic import FOLDER
from inv3d.core.networks.selfie import PersonMatte

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU", "CUSTOM")
_KINDS = (nn.Conv2d, nn.ConvTranspose2d, nn.PReLU)
NETWORKS: dict[str, tuple[str, type[nn.Module]]] = {
    "face": ("face_detection/face_detection_short_range.tflite", BlazeFace),
    "mesh": ("face_landmark/face_landmark.tflite", FaceMesh),
    "person": ("selfie_segmentation/selfie_segmentation.tflite", PersonMatte),
}


class Graph:
    """The operations of a model file that have weights, in order of what they serve: all that leads to the first output, then what
    else leads to the others."""

    def __init__(self, data: bytes) -> None:
        import tflite  # of no use for anything else

        self._names = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
        self._types = {tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.FLOAT32: np.float32}
        self._model = tflite.Model.GetRootAsModel(data, 0)
        self._graph = self._model.Subgraphs(0)
        self._makers = {
            int(output): operation
            for operation in map(self._graph.Operators, range(self._graph.OperatorsLength()))
            for output in operation.OutputsAsNumpy()
        }

    def weights(self) -> Iterator[tuple[str, list[NDArray[np.float32]]]]:
        done: set[int] = set()
        for output in self._graph.OutputsAsNumpy():
            leading = self._leading(int(output)) - done
            done |= leading
            # an operation's outputs are numbered as it comes in the graph
            for tensor in sorted(leading):
                operation = self._makers[tensor]
                if self._name(operation) in _WEIGHTED:
                    yield self._name(operation), [self._values(int(i)) for i in operation.InputsAsNumpy()[1:]]

    def _name(self, operation: Any) -> str:
        code = self._model.OperatorCodes(operation.OpcodeIndex())
        return self._names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]

    def _leading(self, tensor: int) -> set[int]:
        found, left = set(), [tensor]
        while left:
            one = left.pop()
            if one in self._makers and one not in found:
                found.add(one)
                left += map(int, self._makers[one].InputsAsNumpy())
        return found

    def _values(self, index: int) -> NDArray[np.float32]:
        """A tensor of weights: they are kept in half precision, and widened by an operation."""
        maker = self._makers.get(index)
        tensor = self._graph.Tensors(index if maker is None else int(maker.InputsAsNumpy()[0]))
        data = self._model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        return np.frombuffer(data, self._types[tensor.Type()]).reshape(tensor.ShapeAsNumpy()).astype(np.float32)


def tensors(kind: str, values: list[NDArray[np.float32]]) -> tuple[Tensor, ...]:
    """As torch orders them."""
    first, *bias = (torch.from_numpy(value) for value in values)
    if kind == "PRELU":
        return (first.flatten(),)
    order = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "CUSTOM": (3, 0, 1, 2)}[kind]
    return first.permute(order), *bias


def convert(data: bytes, network: nn.Module) -> None:
    """Give a network the weights of a model file."""
    layers = [layer for layer in network.modules() if isinstance(layer, _KINDS)]
    for layer, (kind, values) in zip(layers, Graph(data).weights(), strict=True):
        for parameter, value in zip(layer.parameters(), tensors(kind, values), strict=True):
            if parameter.shape != value.shape:
                raise ValueError(f"{kind} {tuple(value.shape)} is not {layer}")
            parameter.data.copy_(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    with zipfile.ZipFile(parser.parse_args().wheel) as wheel:
        for name, (path, kind) in NETWORKS.items():
            network = kind()
            convert(wheel.read(f"mediapipe/modules/{path}"), network)
            state = {key: tensor.half().contiguous() for key, tensor in network.state_dict().items()}
            save_file(state, FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    main()
