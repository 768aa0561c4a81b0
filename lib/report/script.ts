/** The report's script: plain browser JavaScript, carried as text because it runs in the page and not here. */
export const script = `
"use strict";
(() => {
const byId = (id) => document.getElementById(id);
const model = JSON.parse(byId("model").textContent);
const { rows, columns, layers, slices, counts, pixelMm, hasMetal } = model;
const stage = byId("stage");
const canvases = [byId("canvas0"), byId("canvas1")];
const panes = [byId("pane0"), byId("pane1")];
const contexts = canvases.map((canvas) => { canvas.width = columns; canvas.height = rows; return canvas.getContext("2d"); });
const pictures = contexts.map((context) => context.createImageData(columns, rows));
const views = ["slider", "side", "difference"];
const state = { slice: model.start, left: 0, right: model.after, centre: model.window[0], width: model.window[1], view: "slider", position: 0.5, outline: false, zoom: 1, x: 0, y: 0, blink: false };
const cache = new Map();
let drawn = 0;

// pixels may not be square: the stage has the shape of the image in mm
const aspect = (columns * pixelMm[1]) / (rows * pixelMm[0]);
const scale = pixelMm[1] / pixelMm[0];
function shapeStage() {
  const side = state.view === "side";
  stage.classList.toggle("side", side);
  stage.style.aspectRatio = String(aspect * (side ? 2 : 1));
  stage.style.maxWidth = "calc(78vh * " + aspect * (side ? 2 : 1) + ")";
  for (const canvas of canvases) canvas.style.objectFit = Math.abs(scale - 1) < 1e-3 ? "contain" : "fill";
}

async function unpack(id) {
  const text = atob(byId(id).textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function load(i) {
  const first = new Int16Array(await unpack("s" + i + "l0"));
  const images = [first];
  for (let k = 1; k < layers.length; k++) {
    const image = new Int16Array(await unpack("s" + i + "l" + k));
    for (let p = 0; p < image.length; p++) image[p] += first[p];
    images.push(image);
  }
  const metal = hasMetal ? new Uint8Array(await unpack("s" + i + "m")) : undefined;
  return { images, metal };
}

function slice(i) {
  if (!cache.has(i)) {
    cache.set(i, load(i));
    for (const key of cache.keys()) { if (cache.size <= 8) break; if (key !== i) cache.delete(key); }
  }
  return cache.get(i);
}

function paint(which, value) {
  const words = new Uint32Array(pictures[which].data.buffer);
  for (let p = 0; p < words.length; p++) words[p] = value(p);
}

function grey(image) {
  const low = state.centre - state.width / 2;
  const gain = 255 / state.width;
  return (p) => {
    const g = Math.max(0, Math.min(255, (image[p] - low) * gain)) | 0;
    return 0xff000000 | (g << 16) | (g << 8) | g;
  };
}

// left from right: orange where it grew, blue where it shrank
function change(a, b) {
  const gain = 255 / (state.width / 2);
  return (p) => {
    const d = (b[p] - a[p]) * gain;
    const s = Math.min(255, Math.abs(d)) | 0;
    const half = s >> 1;
    return d >= 0 ? 0xff000000 | ((half >> 1) << 16) | ((half + (half >> 1)) << 8) | s : 0xff000000 | (s << 16) | ((half + (half >> 1)) << 8) | (half >> 1);
  };
}

function outlined(value, metal) {
  const inside = (p) => metal[p] !== 0;
  return (p) => {
    if (!inside(p)) return value(p);
    const column = p % columns;
    const edge = column === 0 || column === columns - 1 || p < columns || p >= metal.length - columns ||
      !inside(p - 1) || !inside(p + 1) || !inside(p - columns) || !inside(p + columns);
    return edge ? 0xff3c6cff : value(p);
  };
}

async function draw() {
  const turn = ++drawn;
  const { images, metal } = await slice(state.slice);
  if (turn !== drawn) return;
  const [left, right] = state.blink ? [state.right, state.left] : [state.left, state.right];
  const wrap = (value) => (state.outline && metal ? outlined(value, metal) : value);
  if (state.view === "difference") paint(0, wrap(change(images[left], images[right])));
  else {
    paint(0, wrap(grey(images[left])));
    paint(1, wrap(grey(images[right])));
  }
  contexts.forEach((context, k) => { context.putImageData(pictures[k], 0, 0); });
  panes[1].hidden = state.view === "difference";
  const slider = state.view === "slider";
  byId("divider").hidden = !slider;
  byId("dividerLabel").hidden = !slider;
  panes[1].style.clipPath = slider ? "inset(0 0 0 " + state.position * 100 + "%)" : "none";
  byId("divider").style.left = state.position * 100 + "%";
  const sharp = state.zoom > 2 ? "pixelated" : "auto";
  for (const canvas of canvases) {
    canvas.style.transform = "translate(" + state.x + "px," + state.y + "px) scale(" + state.zoom + ")";
    canvas.style.imageRendering = sharp;
  }
  byId("name0").textContent = state.view === "difference" ? layers[right] + " − " + layers[left] : layers[left];
  byId("name1").textContent = state.view === "difference" ? "" : layers[right];
  byId("windowed").textContent = state.view === "difference" ? "±" + Math.round(state.width / 2) + " " + model.unit : "C " + Math.round(state.centre) + "  W " + Math.round(state.width);
  byId("sliceName").textContent = slices[state.slice] + 1 + " of " + counts.length;
  byId("slice").value = state.slice;
  byId("position").value = state.position * 1000;
  byId("centre").value = Math.round(state.centre);
  byId("width").value = Math.round(state.width);
  for (const button of document.querySelectorAll("[data-centre]"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.centre) === state.centre && Number(button.dataset.width) === state.width));
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
  byId("outline")?.setAttribute("aria-pressed", String(state.outline));
  for (const row of document.querySelectorAll("[data-row]")) row.classList.toggle("now", Number(row.dataset.row) === state.slice);
  for (const bar of document.querySelectorAll(".strip .on")) bar.classList.toggle("now", Number(bar.dataset.bar) === state.slice);
  document.documentElement.dataset.drawn = String(turn);
}

function set(changes) {
  Object.assign(state, changes);
  state.slice = Math.max(0, Math.min(slices.length - 1, state.slice));
  state.width = Math.max(1, Math.min(65535, state.width));
  state.position = Math.max(0, Math.min(1, state.position));
  if ("view" in changes) shapeStage();
  draw();
}

function strip() {
  const most = Math.max(1, ...counts);
  if (counts.length < 2) return;
  const name = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(name, "svg");
  svg.setAttribute("viewBox", "0 0 " + counts.length + " 44");
  svg.setAttribute("preserveAspectRatio", "none");
  counts.forEach((count, i) => {
    const bar = document.createElementNS(name, "rect");
    const height = count > 0 ? 4 + 40 * (count / most) : 1.5;
    for (const [key, value] of Object.entries({ x: i + 0.08, y: 44 - height, width: 0.84, height })) bar.setAttribute(key, value);
    const embedded = slices.indexOf(i);
    if (embedded >= 0) {
      bar.classList.add("on");
      bar.dataset.bar = embedded;
      bar.addEventListener("click", () => set({ slice: embedded }));
    }
    const title = document.createElementNS(name, "title");
    title.textContent = "slice " + (i + 1) + ": " + count + " metal pixels";
    bar.append(title);
    svg.append(bar);
  });
  byId("strip").append(svg);
}

// where the pointer is, in pixels of the image
function place(event) {
  const box = stage.getBoundingClientRect();
  const side = state.view === "side";
  const width = side ? box.width / 2 : box.width;
  let x = event.clientX - box.left;
  if (side && x >= width) x -= width;
  const column = Math.floor((((x - state.x) / state.zoom) / width) * columns);
  const row = Math.floor((((event.clientY - box.top - state.y) / state.zoom) / box.height) * rows);
  return { row, column, inside: row >= 0 && row < rows && column >= 0 && column < columns };
}

async function readout(event) {
  const { row, column, inside } = place(event);
  const { images } = await slice(state.slice);
  const p = row * columns + column;
  byId("readout").textContent = inside
    ? "row " + row + ", column " + column + ":  " + layers[state.left] + " " + images[state.left][p] + ", " + layers[state.right] + " " + images[state.right][p] + " " + model.unit
    : "";
}

let drag;
stage.addEventListener("pointerdown", (event) => {
  const kind = event.target.closest("#divider") ? "divider" : event.shiftKey || event.button === 1 ? "move" : "window";
  drag = { kind, x: event.clientX, y: event.clientY, from: { ...state } };
  stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointermove", (event) => {
  readout(event);
  if (!drag) return;
  const box = stage.getBoundingClientRect();
  const dx = event.clientX - drag.x;
  const dy = event.clientY - drag.y;
  if (drag.kind === "divider") set({ position: (event.clientX - box.left) / box.width });
  else if (drag.kind === "move") set({ x: drag.from.x + dx, y: drag.from.y + dy });
  else if (Math.abs(dx) + Math.abs(dy) > 2) set({ width: drag.from.width * Math.exp(dx / 200), centre: drag.from.centre - (dy * drag.from.width) / 400 });
});
for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => { drag = undefined; });
stage.addEventListener("pointerleave", () => { byId("readout").textContent = ""; });
stage.addEventListener("dblclick", () => set({ zoom: 1, x: 0, y: 0 }));
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (!event.ctrlKey && !event.metaKey) return set({ slice: state.slice + Math.sign(event.deltaY) });
  const box = stage.getBoundingClientRect();
  const side = state.view === "side";
  let px = event.clientX - box.left;
  if (side && px >= box.width / 2) px -= box.width / 2;
  const py = event.clientY - box.top;
  const zoom = Math.max(1, Math.min(16, state.zoom * Math.exp(-event.deltaY / 300)));
  const ratio = zoom / state.zoom;
  set(zoom === 1 ? { zoom, x: 0, y: 0 } : { zoom, x: px - (px - state.x) * ratio, y: py - (py - state.y) * ratio });
}, { passive: false });

for (const button of document.querySelectorAll("[data-centre]"))
  button.addEventListener("click", () => set({ centre: Number(button.dataset.centre), width: Number(button.dataset.width) }));
for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => set({ view: button.dataset.view }));
for (const button of document.querySelectorAll("[data-slice]"))
  button.addEventListener("click", () => { set({ slice: Number(button.dataset.slice) }); stage.scrollIntoView({ block: "nearest" }); });
byId("outline")?.addEventListener("click", () => set({ outline: !state.outline }));
byId("slice").addEventListener("input", (event) => set({ slice: Number(event.target.value) }));
byId("position").addEventListener("input", (event) => set({ position: Number(event.target.value) / 1000 }));
for (const name of ["left", "right"]) byId(name).addEventListener("change", (event) => set({ [name]: Number(event.target.value) }));
for (const name of ["centre", "width"])
  byId(name).addEventListener("change", (event) => { if (Number.isFinite(event.target.valueAsNumber)) set({ [name]: event.target.valueAsNumber }); });

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select")) return;
  const key = event.key.toLowerCase();
  const preset = document.querySelectorAll("[data-centre]")[Number(key) - 1];
  const actions = {
    arrowup: () => set({ slice: state.slice - 1 }),
    arrowdown: () => set({ slice: state.slice + 1 }),
    arrowleft: () => set({ position: state.position - 0.02 }),
    arrowright: () => set({ position: state.position + 0.02 }),
    v: () => set({ view: views[(views.indexOf(state.view) + 1) % views.length] }),
    d: () => set({ view: state.view === "difference" ? "slider" : "difference" }),
    b: () => set({ blink: !state.blink }),
    m: () => set({ outline: !state.outline }),
    r: () => set({ zoom: 1, x: 0, y: 0, centre: model.window[0], width: model.window[1], position: 0.5, blink: false }),
  };
  if (preset) preset.click();
  else if (Object.hasOwn(actions, key)) actions[key]();
  else return;
  event.preventDefault();
});

strip();
shapeStage();
draw();
})();
`;
