// The script of view.html: the mesh to turn, and the renders along the yaw slider.
import {
  AmbientLight, Box3, DirectionalLight, Mesh, MeshBasicMaterial, MeshNormalMaterial, MeshStandardMaterial,
  PerspectiveCamera, Scene, ShaderMaterial, Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const nearest = (items, yaw) => items.reduce((best, item) => (Math.abs(item.yaw - yaw) < Math.abs(best.yaw - yaw) ? item : best));
const words = (yaw) => `${Math.round(yaw)}°`;

function bytes(base64) {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0)).buffer;
}

// renders, frames and codes along the yaw axis need no WebGL
function showYaw(yaw) {
  const render = nearest(data.renders, yaw);
  find("render").src = render.src;
  find("render-at").textContent = `render at ${words(render.yaw)}`;
  if (data.frames.length) {
    const frame = nearest(data.frames, yaw);
    find("frame").src = frame.src;
    find("frame-at").textContent = `input at ${words(frame.yaw)}`;
  }
  find("yaw").value = yaw;
}

function yawAxis() {
  const slider = find("yaw");
  const yaws = data.renders.map((render) => render.yaw);
  slider.min = Math.min(...yaws);
  slider.max = Math.max(...yaws);
  slider.disabled = yaws.length < 2;
  const span = slider.max - slider.min || 1;
  for (const yaw of data.codes) {
    const mark = document.createElement("i");
    mark.style.left = `${Math.min(Math.max((100 * (yaw - slider.min)) / span, 0), 100)}%`;
    mark.title = `latent code at ${words(yaw)}`;
    find("codes").append(mark);
  }
  find("input").hidden = !data.frames.length;
  showYaw((Number(slider.min) + Number(slider.max)) / 2);
}

const depthMaterial = () =>
  new ShaderMaterial({
    uniforms: { near: { value: 0 }, far: { value: 1 } },
    vertexShader: "varying float d; void main() { vec4 p = modelViewMatrix * vec4(position, 1.); d = -p.z; gl_Position = projectionMatrix * p; }",
    fragmentShader: "uniform float near, far; varying float d; void main() { gl_FragColor = vec4(vec3(1. - clamp((d - near) / (far - near), 0., 1.)), 1.); }",
  });

async function turntable() {
  const canvas = find("canvas");
  const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true, preserveDrawingBuffer: true });
  const scene = new Scene();
  const camera = new PerspectiveCamera(25, 1, 0.01, 100);
  const controls = new OrbitControls(camera, canvas);
  const model = (await new GLTFLoader().parseAsync(bytes(data.mesh), "")).scene;
  scene.add(model);
  const mesh = model.getObjectByProperty("isMesh", true);
  const texture = mesh.material.map;
  const box = new Box3().setFromObject(model);
  const center = box.getCenter(new Vector3());
  const size = box.getSize(new Vector3()).length();
  const light = new DirectionalLight(0xffffff, 2.5);
  scene.add(light, new AmbientLight(0xffffff, 0.5));
  const materials = {
    texture: new MeshBasicMaterial({ map: texture }),
    lit: new MeshStandardMaterial({ map: texture, roughness: 0.7 }),
    shape: new MeshStandardMaterial({ color: 0xc8c8c8, roughness: 0.7 }),
    wireframe: new MeshBasicMaterial({ color: 0x2b5d8a, wireframe: true }),
    normals: new MeshNormalMaterial(),
    depth: depthMaterial(),
  };

  function draw() {
    const distance = camera.position.distanceTo(center);
    materials.depth.uniforms.near.value = distance - size / 3;
    materials.depth.uniforms.far.value = distance + size / 3;
    renderer.render(scene, camera);
  }
  function look(yaw, pitch = 0, distance = size * 2.1) {
    camera.position.set(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch));
    camera.position.multiplyScalar(distance).add(center);
    controls.target.copy(center);
    controls.update();
    draw();
  }
  function fit() {
    const side = canvas.parentElement.clientWidth;
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    renderer.setSize(side, side, false);
    draw();
  }
  function relight() {
    const angle = (Number(find("light").value) * Math.PI) / 180;
    light.position.set(Math.sin(angle), 0.5, Math.cos(angle)).multiplyScalar(size).add(center);
    draw();
  }
  function dress() {
    mesh.material = materials[find("show").value];
    find("lighting").hidden = !["lit", "shape"].includes(find("show").value);
    draw();
  }
  controls.minDistance = size * 0.6;
  controls.maxDistance = size * 8;
  controls.enablePan = false;
  controls.addEventListener("change", () => {
    draw();
    showYaw((Math.atan2(camera.position.x - center.x, camera.position.z - center.z) * 180) / Math.PI);
  });
  find("yaw").addEventListener("input", (event) => look((event.target.value * Math.PI) / 180));
  find("light").addEventListener("input", relight);
  find("show").addEventListener("change", dress);
  find("front").addEventListener("click", () => look(0));
  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [-1, 0, 1], ArrowRight: [1, 0, 1], ArrowUp: [0, 1, 1], ArrowDown: [0, -1, 1], "+": [0, 0, 0.9], "-": [0, 0, 1.1] };
    if (!(event.key in turns)) return;
    event.preventDefault();
    const [right, up, factor] = turns[event.key];
    const pitch = Math.min(Math.max(Math.PI / 2 - controls.getPolarAngle() + up * 0.1, -1.5), 1.5);
    const distance = Math.min(Math.max(controls.getDistance() * factor, controls.minDistance), controls.maxDistance);
    look(controls.getAzimuthalAngle() + right * 0.1, pitch, distance);
  });
  addEventListener("resize", fit);
  fit();
  relight();
  dress();
  look(0);
}

function downloads() {
  const link = find("download");
  link.href = URL.createObjectURL(new Blob([bytes(data.mesh)], { type: "model/gltf-binary" }));
  link.download = "mesh.glb";
}

yawAxis();
downloads();
find("yaw").addEventListener("input", (event) => showYaw(Number(event.target.value)));
turntable()
  .catch((error) => {
    console.warn(error);
    document.body.classList.add("plain");
  })
  .finally(() => document.body.classList.add("ready"));
