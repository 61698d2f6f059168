// The script of view.html: the mesh to turn, the renders along the yaw slider, edits along theirs, and downloads.
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
const signed = (strength) => (strength > 0 ? "+" : "") + String(strength).replace("-", "\u2212");

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
  find("yaw").addEventListener("input", (event) => look((event.target.value * Math.PI) / 180, 0, controls.getDistance()));
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

// every edit is pictured with the others as the head has them: moving one slider takes the others back there
function edits() {
  const sliders = data.edits.map((edit) => {
    const slider = document.createElement("input"), label = document.createElement("label"), output = document.createElement("output");
    Object.assign(slider, { type: "range", min: 0, max: edit.steps.length - 1, step: 1 });
    label.append(edit.name, output, slider);
    find("strengths").append(label);
    const set = (step) => {
      const strength = signed(edit.steps[step].strength);
      slider.value = step;
      slider.setAttribute("aria-valuetext", strength);
      output.textContent = strength;
    };
    const show = () => {
      find("edited").src = edit.steps[slider.value].src;
      find("edited-as").textContent = sliders.map((each) => each.said()).join(", ");
    };
    const said = () => `${edit.name} ${output.textContent}`;
    const away = (step) => Math.abs(step.strength - edit.at);
    const start = edit.steps.indexOf(edit.steps.reduce((best, step) => (away(step) < away(best) ? step : best)));
    set(start);
    slider.addEventListener("input", () => {
      sliders.forEach((other) => other.slider !== slider && other.set(other.start));
      set(slider.value);
      show();
    });
    return { slider, set, start, show, said };
  });
  find("editing").hidden = !sliders.length;
  sliders[0]?.show();
}

// The mesh is in this file; the others lie beside it, unless it was moved alone: then a picture beside it is missing too.
function downloads() {
  if (data.mesh) link("mesh.glb", URL.createObjectURL(new Blob([bytes(data.mesh)], { type: "model/gltf-binary" })), (data.mesh.length * 3) / 4);
  const others = () => data.files.forEach((file) => link(file.name, encodeURIComponent(file.name), file.size));
  if (!data.picture) return others();
  const probe = new Image();
  probe.onload = others;
  probe.src = encodeURI(data.picture);
}

function link(name, address, size) {
  const item = document.createElement("li"), anchor = document.createElement("a");
  Object.assign(anchor, { href: address, download: name, textContent: name });
  item.append(anchor, size < 1e5 ? ` ${Math.ceil(size / 1e3)} kB` : ` ${(size / 1e6).toFixed(1)} MB`);
  find("files").append(item);
}

yawAxis();
edits();
downloads();
find("yaw").addEventListener("input", (event) => showYaw(Number(event.target.value)));
find("no-webgl").hidden = !data.mesh;
(data.mesh ? turntable() : Promise.reject("the page was written without a mesh"))
  .catch((error) => {
    console.warn(error);
    document.body.classList.add("plain");
  })
  .finally(() => document.body.classList.add("ready"));
