"use strict";
const at = (id) => document.getElementById(id);
const MOST_SEED = 2n ** 64n - 1n, AT_ONCE = 32, REACH = 4;
const wide = matchMedia("(min-width: 60rem)");
const state = { models: [], model: null, first: 0n, next: 0n, klass: "", run: 0, busy: false, ended: false };
const chosen = { seed: 0n, cell: null, latent: null, directions: null, values: [], pixels: null, moving: false, again: false };

// The server, its token, and arrays as NumPy writes them

async function ask(path, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const begun = performance.now();
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) { await logIn(Boolean(token)); return ask(path, options); }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({ error: `The server answered ${answer.status}.` }));
    throw Object.assign(new Error(told.error), { status: answer.status, retry: Number(answer.headers.get("Retry-After")) });
  }
  const body = await answer.arrayBuffer();
  return { body, took: performance.now() - begun, server: computing(answer.headers.get("Server-Timing")) };
}

let login = null;
function logIn(refused) {
  login ??= new Promise((done) => {
    at("login-problem").hidden = !refused;
    at("token").value = "";
    at("login").showModal();
    at("login").addEventListener("close", () => { sessionStorage.setItem("token", at("token").value); login = null; done(); }, { once: true });
  });
  return login;
}

const computing = (header) => Number(/compute;dur=([\d.]+)/.exec(header ?? "")?.[1] ?? NaN);
const milliseconds = (value) => (value < 10 ? value.toFixed(1) : Math.round(value)) + " ms";
const latencyWords = (answer) => milliseconds(answer.took) + (Number.isNaN(answer.server) ? "" : `, computing ${milliseconds(answer.server)}`);
const query = (values) => new URLSearchParams({ model: state.model.name, ...(state.klass === "" ? {} : { class: state.klass }), ...values });

function fromNpy(buffer) {
  const start = 10 + new DataView(buffer).getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, 10, start - 10));
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(",").map((part) => part.trim()).filter(Boolean).map(Number);
  return { shape, data: header.includes("u1") ? new Uint8Array(buffer, start) : new Float32Array(buffer.slice(start)) };
}

function toNpy(values) {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, ${values.length}), }`;
  const header = new TextEncoder().encode(text.padEnd(117) + "\n");
  const bytes = new Uint8Array(128 + 4 * values.length);
  bytes.set([0x93, 78, 85, 77, 80, 89, 1, 0, 118, 0]);
  bytes.set(header, 10);
  values.forEach((value, place) => new DataView(bytes.buffer).setFloat32(128 + 4 * place, value, true));
  return bytes;
}

function draw(canvas, pixels) {
  const { size, channels } = state.model, image = new ImageData(size, size);
  for (let place = 0; place < size * size; place++) {
    const from = pixels.subarray(place * channels, (place + 1) * channels), grey = channels < 3;
    image.data.set([from[0], from[grey ? 0 : 1], from[grey ? 0 : 2], channels % 2 ? 255 : from[channels - 1]], 4 * place);
  }
  canvas.width = canvas.height = size;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The grid, which fills while it is scrolled

const classOf = (seed) => {
  const names = state.model.classes;
  return names.length ? names[state.klass === "" ? Number(seed % BigInt(names.length)) : Number(state.klass)] : "";
};
const nameOf = (seed) => `Seed ${seed}` + (classOf(seed) ? `, ${classOf(seed)}` : "");

async function fill() {
  if (state.busy || state.ended || !state.model) return;
  state.busy = true;
  const run = state.run, first = state.next, last = first + BigInt(AT_ONCE - 1) > MOST_SEED ? MOST_SEED : first + BigInt(AT_ONCE - 1);
  try {
    const answer = await ask(`/v1/samples?${query({ seeds: `${first}-${last}`, format: "npy" })}`);
    if (run !== state.run) return;
    const { shape, data } = fromNpy(answer.body), length = data.length / shape[0];
    for (let place = 0; place < shape[0]; place++) add(first + BigInt(place), data.slice(place * length, (place + 1) * length));
    state.next = last + 1n;
    state.ended = last === MOST_SEED;
    at("count").textContent = `Seeds ${state.first} to ${last}`;
    at("latency").textContent = `${shape[0]} images in ${latencyWords(answer)}`;
    at("trouble").hidden = true;
    if (!chosen.cell && wide.matches) select(at("grid").firstElementChild, false);
  } catch (error) {
    if (run !== state.run) return;
    if (error.status === 503) { await new Promise((done) => setTimeout(done, 1000 * (error.retry || 1))); return; }
    state.ended = true;
    at("trouble").hidden = false;
    at("trouble").firstElementChild.textContent = error instanceof TypeError ? "The server cannot be reached." : error.message;
  } finally {
    if (run === state.run) { state.busy = false; requestAnimationFrame(more); }
  }
}

const more = () => { if (at("end").getBoundingClientRect().top < innerHeight + 600) fill(); };

function add(seed, pixels) {
  const cell = document.createElement("button"), canvas = document.createElement("canvas"), label = document.createElement("small");
  const className = state.model.size > 48 ? "cell large" : "cell";
  Object.assign(cell, { seed, pixels, type: "button", className, tabIndex: at("grid").childElementCount ? -1 : 0 });
  cell.setAttribute("role", "option");
  cell.setAttribute("aria-selected", "false");
  cell.setAttribute("aria-label", nameOf(seed));
  label.textContent = seed;
  label.setAttribute("aria-hidden", "true");
  cell.append(canvas, label);
  draw(canvas, pixels);
  at("grid").append(cell);
}

function restart() {
  state.run += 1;
  Object.assign(state, { next: state.first, busy: false, ended: false });
  chosen.cell = null;
  at("grid").replaceChildren();
  at("trouble").hidden = true;
  history.replaceState(null, "", "#" + new URLSearchParams({ model: state.model.name, seed: state.first, class: state.klass }));
  if (!wide.matches) at("detail").close();
  fill();
}

at("grid").addEventListener("click", (event) => { const cell = event.target.closest(".cell"); if (cell) select(cell, true); });
at("grid").addEventListener("keydown", (event) => {
  const cells = [...at("grid").children], place = cells.indexOf(document.activeElement);
  if (place < 0) return;
  const across = getComputedStyle(at("grid")).gridTemplateColumns.split(" ").length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -place, End: cells.length - 1 - place }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const target = cells[Math.max(0, Math.min(cells.length - 1, place + step))];
  cells[place].tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
});

// The selected image and the sliders along directions

async function select(cell, open) {
  if (chosen.cell) chosen.cell.setAttribute("aria-selected", "false");
  for (const other of at("grid").children) other.tabIndex = other === cell ? 0 : -1;
  cell.setAttribute("aria-selected", "true");
  Object.assign(chosen, { cell, seed: cell.seed, latent: null });
  show(nameOf(cell.seed), cell.pixels);
  const format = { seeds: cell.seed, format: "png" };
  at("download").dataset.path = `/v1/samples?${query({ ...format, ...(state.model.classes.length ? { class: classNumber(cell.seed) } : {}) })}`;
  const klass = state.model.classes.length ? ` --class ${classNumber(cell.seed)}` : "";
  at("command").textContent = `dcgan-edge sample ARTIFACT --seeds ${cell.seed}${klass}`;
  at("detail-latency").textContent = "";
  setSliders(chosen.directions?.shape[0] ?? 0);
  at("picture").classList.toggle("large", state.model.size > 48);
  if (!at("detail").open && wide.matches) { at("detail").show(); document.activeElement?.blur?.(); cell.isConnected && open && cell.focus(); }
  if (!at("detail").open && open) at("detail").showModal();
  document.querySelector(".columns").classList.toggle("open", at("detail").open);
  try { await prepare(cell); } catch (error) { at("detail-latency").textContent = error.message; }
}

const classNumber = (seed) => (state.klass === "" ? Number(seed % BigInt(state.model.classes.length)) : Number(state.klass));

async function prepare(cell) {
  const model = state.model.name;
  if (!chosen.directions) {
    const found = fromNpy((await ask(`/v1/directions?${new URLSearchParams({ model })}`)).body);
    if (state.model.name !== model) return;
    chosen.directions = found;
    setSliders(found.shape[0]);
  }
  const latent = fromNpy((await ask(`/v1/latents?${new URLSearchParams({ model, seeds: cell.seed })}`)).body).data;
  if (chosen.cell === cell) chosen.latent = latent;
}

function setSliders(count) {
  chosen.values = Array(count).fill(0);
  at("reset").disabled = true;
  at("same").hidden = false;
  at("sliders").replaceChildren(...chosen.values.map((_, place) => {
    const label = document.createElement("label"), name = document.createElement("span"), range = document.createElement("input"), output = document.createElement("output");
    name.textContent = place + 1;
    Object.assign(range, { type: "range", min: -REACH, max: REACH, step: 0.1, value: 0 });
    range.setAttribute("aria-label", `Direction ${place + 1}`);
    output.textContent = "0.0";
    range.addEventListener("input", () => {
      chosen.values[place] = Number(range.value);
      output.textContent = Number(range.value).toFixed(1);
      move();
    });
    label.append(name, range, output);
    return label;
  }));
}

function show(title, pixels) {
  at("detail-title").textContent = title;
  at("picture").setAttribute("aria-label", title);
  chosen.pixels = pixels;
  draw(at("picture"), pixels);
}

async function move() {
  const changed = chosen.values.some((value) => value !== 0);
  at("reset").disabled = !changed;
  at("same").hidden = changed;
  if (!changed) return show(nameOf(chosen.seed), chosen.cell.pixels);
  if (chosen.moving || !chosen.latent) { chosen.again = true; return; }
  chosen.moving = true;
  const cell = chosen.cell, dim = chosen.latent.length;
  const values = Array.from(chosen.latent, (start, part) => chosen.values.reduce((sum, value, place) => sum + value * chosen.directions.data[place * dim + part], start));
  try {
    const asked = new URLSearchParams({ model: state.model.name, format: "npy" });
    if (state.model.classes.length) asked.set("class", classNumber(cell.seed));
    const answer = await ask(`/v1/latents?${asked}`, { method: "POST", body: toNpy(values) });
    if (chosen.cell === cell && chosen.values.some((value) => value !== 0)) {
      show(`${nameOf(cell.seed)}, changed`, fromNpy(answer.body).data);
      at("detail-latency").textContent = `Changed in ${latencyWords(answer)}`;
    }
  } catch (error) {
    at("detail-latency").textContent = error.message;
  } finally {
    chosen.moving = false;
    if (chosen.again) { chosen.again = false; move(); }
  }
}

at("reset").addEventListener("click", () => { setSliders(chosen.values.length); move(); at("detail-latency").textContent = ""; });
at("download").addEventListener("click", async (event) => {
  event.preventDefault();
  const changed = chosen.values.some((value) => value !== 0), link = document.createElement("a");
  const file = changed ? await new Promise((done) => at("picture").toBlob(done)) : new Blob([(await ask(at("download").dataset.path)).body], { type: "image/png" });
  link.href = URL.createObjectURL(file);
  link.download = `seed${String(chosen.seed).padStart(4, "0")}${changed ? "-changed" : ""}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
at("close").addEventListener("click", () => at("detail").close());
at("detail").addEventListener("close", () => { document.querySelector(".columns").classList.remove("open"); chosen.cell?.focus(); });
at("detail").addEventListener("keydown", (event) => { if (event.key === "Escape") at("detail").close(); });
wide.addEventListener("change", () => { if (at("detail").open) at("detail").close(); });

// Generator, seed and class

function complain(text) {
  at("seed-problem").textContent = text;
  at("seed").setAttribute("aria-invalid", !(at("seed-problem").hidden = !text));
}

function start(text) {
  const typed = text.trim();
  if (!/^[0-9]{1,20}$/.test(typed) || BigInt(typed) > MOST_SEED) return complain("A seed is a whole number from 0 to 2⁶⁴ − 1.");
  complain("");
  state.first = BigInt(typed);
  at("seed").value = state.first;
  restart();
}

function choose(name) {
  state.model = state.models.find((model) => model.name === name) ?? state.models[0];
  const { size, channels, precision, classes, session, sha256 } = state.model;
  chosen.directions = null;
  if (state.klass !== "" && !(Number(state.klass) < classes.length)) state.klass = "";
  at("model").value = state.model.name;
  at("facts").textContent = `${state.model.name}: ${size} × ${size} ${channels < 3 ? "grey" : "colour"}, ${precision}, on ${session.device_name} with ${session.backend}`;
  at("facts").title = `SHA-256 ${sha256}`;
  document.title = `${state.model.name} · dcgan-edge`;
  at("class-field").hidden = classes.length === 0;
  at("classes").replaceChildren(...["", ...classes.keys()].map((number) => {
    const label = document.createElement("label"), input = document.createElement("input"), text = document.createElement("span");
    Object.assign(input, { type: "radio", name: "class", value: number, checked: String(number) === state.klass });
    text.textContent = number === "" ? "In turn" : classes[number];
    label.append(input, text);
    return label;
  }));
}

at("controls").addEventListener("submit", (event) => { event.preventDefault(); start(at("seed").value); });
at("random").addEventListener("click", () => start(String(crypto.getRandomValues(new Uint32Array(1))[0])));
at("classes").addEventListener("change", (event) => { state.klass = event.target.value; start(at("seed").value); });
at("model").addEventListener("change", () => { choose(at("model").value); start(at("seed").value); });
at("retry").addEventListener("click", () => { if (!state.model) return begin(); state.ended = false; fill(); });
for (const event of ["scroll", "resize"]) addEventListener(event, more, { passive: true });

async function begin() {
  try {
    const wanted = new URLSearchParams(location.hash.slice(1));
    state.models = JSON.parse(new TextDecoder().decode((await ask("/v1/models")).body)).models;
    at("model").replaceChildren(...state.models.map(({ name }) => new Option(name, name)));
    at("model-field").hidden = state.models.length < 2;
    state.klass = /^\d{1,5}$/.test(wanted.get("class") ?? "") ? wanted.get("class") : "";
    choose(wanted.get("model"));
    start(wanted.get("seed") || "0");
  } catch (error) {
    at("trouble").hidden = false;
    at("trouble").firstElementChild.textContent = error.message;
  }
}
begin();
