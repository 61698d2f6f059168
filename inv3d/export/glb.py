"""GLB, the binary form of glTF 2.0, with one mesh and one material (Khronos Group, *glTF 2.0 Specification*)."""

from __future__ import annotations

import json
import struct
from typing import Any

from numpy.typing import NDArray

_FLOAT, _UINT = 5126, 5125
_ARRAY, _ELEMENTS = 34962, 34963
_JSON, _BINARY = b"JSON", b"BIN\0"


def glb(
    positions: NDArray[Any], normals: NDArray[Any], uv: NDArray[Any], triangles: NDArray[Any], picture: bytes, name: str
) -> bytes:
    """The bytes of a GLB file: vertices [W,3] with unit normals and `uv` [W,2] (v upwards), triangles [F,3], and a JPEG
    as their base colour.

    The light is in the picture already. So the material is unlit (KHR_materials_unlit), and viewers that do not know this
    take it for a matt one.
    """
    arrays = {
        "POSITION": positions.astype("<f4"),
        "NORMAL": normals.astype("<f4"),
        "TEXCOORD_0": (uv * [1, -1] + [0, 1]).astype("<f4"),
    }
    parts = [*((array.tobytes(), _ARRAY) for array in arrays.values()), (triangles.astype("<u4").tobytes(), _ELEMENTS)]
    accessors: list[dict[str, Any]] = [
        {"bufferView": i, "componentType": _FLOAT, "count": len(array), "type": f"VEC{array.shape[1]}"}
        for i, array in enumerate(arrays.values())
    ]
    accessors[0] |= {"min": arrays["POSITION"].min(0).tolist(), "max": arrays["POSITION"].max(0).tolist()}
    accessors.append({"bufferView": len(arrays), "componentType": _UINT, "count": triangles.size, "type": "SCALAR"})
    binary, views = b"", []
    for data, target in (*parts, (picture, None)):
        views.append(
            {"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)} | ({"target": target} if target else {})
        )
        binary += data + b"\0" * (-len(data) % 4)
    tree = {
        "asset": {"version": "2.0", "generator": "inv3d"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [
            {
                "name": name,
                "primitives": [
                    {
                        "attributes": {key: i for i, key in enumerate(arrays)},
                        "indices": len(arrays),
                        "material": 0,
                    }
                ],
            }
        ],
        "materials": [
            {
                "name": name,
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.9,
                },
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "textures": [{"sampler": 0, "source": 0}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "images": [{"name": name, "mimeType": "image/jpeg", "bufferView": len(views) - 1}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }  # fmt: skip
    text = json.dumps(tree, separators=(",", ":")).encode()
    chunks = b""
    for kind, data, filler in ((_JSON, text, b" "), (_BINARY, binary, b"\0")):
        data += filler * (-len(data) % 4)
        chunks += struct.pack("<I4s", len(data), kind) + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
