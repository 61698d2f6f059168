import io
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inv3d.export.formats import write_textured
from inv3d.export.glb import glb
from tests.export.textures import textured_ball

WEB = Path(__file__).parents[2] / "web"
VALIDATOR, NODE = WEB / "node_modules" / "gltf-validator", shutil.which("node")
POSITIONS = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.5], [0.0, 2.0, -0.5]])
NORMALS = np.array([[0.0, 0.0, 1.0]] * 3)
UV = np.array([[0.0, 0.0], [1.0, 0.25], [0.0, 1.0]])
JPEG = b"\xff\xd8 not a whole picture"


def read(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray], bytes]:
    """The JSON of a GLB, the arrays of its one primitive by name, and its picture, read byte by byte."""
    magic, version, length, json_length, json_kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, json_kind) == (b"glTF", 2, len(data), b"JSON")
    tree = json.loads(data[20 : 20 + json_length])
    binary_length, binary_kind = struct.unpack_from("<I4s", data, 20 + json_length)
    binary = data[28 + json_length :]
    assert binary_kind == b"BIN\0" and binary_length == len(binary) == tree["buffers"][0]["byteLength"]
    views = [binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]] for view in tree["bufferViews"]]
    ((primitive,),) = (part["primitives"] for part in tree["meshes"])
    arrays = {}
    for name, index in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = tree["accessors"][index]
        kind = {5126: np.float32, 5125: np.uint32}[accessor["componentType"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[accessor["type"]]
        arrays[name] = np.frombuffer(views[accessor["bufferView"]], kind).reshape(accessor["count"], width)
    return tree, arrays, views[tree["images"][0]["bufferView"]]


@pytest.fixture(scope="module")
def content() -> tuple[dict[str, Any], dict[str, np.ndarray], bytes]:
    return read(glb(POSITIONS, NORMALS, UV, np.array([[0, 1, 2]]), JPEG, "head"))


def test_arrays_and_picture_are_in_the_file(content):
    _, arrays, picture = content
    assert (arrays["POSITION"] == POSITIONS).all() and (arrays["NORMAL"] == NORMALS).all()
    assert (arrays["TEXCOORD_0"] == [[0, 1], [1, 0.75], [0, 0]]).all()  # v runs downwards in glTF
    assert arrays["indices"].ravel().tolist() == [0, 1, 2] and picture == JPEG


def test_bounds_and_alignment_are_as_the_format_demands(content):
    tree = content[0]
    assert tree["accessors"][0]["min"] == [0, 0, -0.5] and tree["accessors"][0]["max"] == [1, 2, 0.5]
    assert all(view["byteOffset"] % 4 == 0 for view in tree["bufferViews"])
    assert [view.get("target") for view in tree["bufferViews"]] == [34962] * 3 + [34963, None]


def test_the_material_is_bright_in_every_viewer(content):
    tree = content[0]
    (material,) = tree["materials"]
    assert tree["extensionsUsed"] == ["KHR_materials_unlit"] and "extensionsRequired" not in tree
    assert material["extensions"] == {"KHR_materials_unlit": {}}
    surface = material["pbrMetallicRoughness"]
    assert surface["metallicFactor"] == 0 and surface["roughnessFactor"] > 0.5 and "baseColorTexture" in surface


@pytest.mark.skipif(not VALIDATOR.exists() or NODE is None, reason="needs `npm ci --prefix web`")
@pytest.mark.parametrize("triangle", [False, True])
def test_the_validator_of_khronos_finds_nothing(tmp_path, triangle):
    path = tmp_path / "head.glb"
    if triangle:
        picture = io.BytesIO()
        Image.new("RGB", (4, 4)).save(picture, "JPEG")
        path.write_bytes(glb(POSITIONS, NORMALS, UV, np.array([[0, 1, 2]]), picture.getvalue(), "ü"))
    else:
        write_textured(textured_ball(), path)
    report = validated(path)
    assert report["issues"]["messages"] == [] and report["info"]["totalTriangleCount"] > (0 if triangle else 1000)


@pytest.mark.skipif(not VALIDATOR.exists() or NODE is None, reason="needs `npm ci --prefix web`")
def test_the_validator_would_find_a_fault(tmp_path):
    (tmp_path / "head.glb").write_bytes(glb(POSITIONS, 2 * NORMALS, UV, np.array([[0, 1, 2]]), JPEG, "head"))
    codes = {message["code"] for message in validated(tmp_path / "head.glb")["issues"]["messages"]}
    assert {"ACCESSOR_VECTOR3_NON_UNIT", "IMAGE_UNRECOGNIZED_FORMAT"} & codes


def validated(path: Path) -> dict[str, Any]:
    """What Khronos' validator reports about a file."""
    code = (
        "const v = require('gltf-validator'), fs = require('fs');"
        "v.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1]))).then(r => console.log(JSON.stringify(r)))"
    )
    command = [str(NODE), "-e", code, str(path)]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)
