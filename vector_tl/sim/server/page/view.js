"use strict";
// Asks for the scene and the images, and tells the simulator what the person does. All acts are POSTs of the truth channel.

const TOKEN = new URLSearchParams(location.search).get("token") || "";
const SCENE_MS = 150, IMAGE_MS = 100, DRAWN_MS = 250, RETRY_MS = 1000, TRAIL = 60, TURN_RAD = Math.PI / 12, MOVE_MM = 20;
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);
const trails = new Map(), lines = new Set(), cameras = new Map();
let scene = null, roomSeed = null, dragged = null, chosen = 0, sinceMs = 0, entries = [];

function svg(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

async function ask(path) {
  return fetch(path, { headers: { Authorization: `Bearer ${TOKEN}` } });
}

async function tell(path, body) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { Authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(body) });
    const said = await answer.json();
    at("said").textContent = said.error || "";
    return answer.ok;
  } catch {
    return false; // the next look at the scene tells
  }
}

// -- map: x ahead is right, y left is up --

function place(vector) {
  const degrees = -vector.heading_rad * 180 / Math.PI;
  return `translate(${vector.x_mm} ${-vector.y_mm}) rotate(${degrees})`;
}

function drawRoom() {
  const { room } = scene, x = room.half_x_mm, y = room.half_y_mm;
  const things = room.obstacles.map((thing) => {
    const transform = place(thing);
    const shape = thing.round ? svg("circle", { class: "thing", r: thing.half_x_mm, transform })
      : svg("rect", { class: "thing", x: -thing.half_x_mm, y: -thing.half_y_mm, width: 2 * thing.half_x_mm, height: 2 * thing.half_y_mm, transform });
    shape.append(svg("title", {}, thing.kind));
    return shape;
  });
  const floor = svg("rect", { class: `floor ${room.surface}`, x: -x, y: -y, width: 2 * x, height: 2 * y });
  floor.append(svg("title", {}, room.surface === "table" ? "a table: one can fall off its edges" : "a floor with walls"));
  at("map").setAttribute("viewBox", `${-x - 40} ${-y - 40} ${2 * x + 80} ${2 * y + 80}`);
  at("map").replaceChildren(floor, ...things, svg("g", { id: "trails" }), svg("g", { id: "vectors" }));
  trails.clear();
  const vectors = scene.vectors.map((vector) => {
    const label = svg("text", { "font-size": 34 }, String(vector.vector));
    const node = svg("g", { class: `vector ${vector.role}`, tabindex: 0, "aria-label": `Vector ${vector.vector}, ${vector.role}` },
      svg("path", { d: "M39 0 L20 29 L-58 29 L-58 -29 L20 -29 Z" }), label);
    if (vector.role === "robot") node.prepend(svg("path", { class: "sees", d: "M0 0 L260 -260 L260 260 Z", style: "stroke:none;fill:var(--robot)" }));
    node.addEventListener("pointerdown", (event) => { dragged = vector.vector; choose(vector.vector); at("map").setPointerCapture(event.pointerId); event.preventDefault(); node.focus(); });
    node.addEventListener("focus", () => choose(vector.vector));
    return node;
  });
  at("vectors").replaceChildren(...vectors);
  choose(Math.min(chosen, vectors.length - 1));
}

function choose(vector) {
  chosen = vector;
  [...at("vectors").children].forEach((node, index) => node.classList.toggle("chosen", index === vector));
}

function drawVectors() {
  for (const vector of scene.vectors) {
    const node = at("vectors").children[vector.vector];
    if (!node) return;
    node.setAttribute("transform", place(vector));
    node.querySelector("text").setAttribute("transform", `rotate(${vector.heading_rad * 180 / Math.PI})`);
    const trail = trails.get(vector.vector) || [];
    trail.push(`${vector.x_mm.toFixed(0)},${(-vector.y_mm).toFixed(0)}`);
    trails.set(vector.vector, trail.slice(-TRAIL));
  }
  at("trails").replaceChildren(...[...trails].map(([vector, points]) =>
    svg("polyline", { class: "trail", points: points.join(" "), style: `stroke:var(--${scene.vectors[vector].role})` })));
}

function mapPoint(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(at("map").getScreenCTM().inverse());
  return { x_mm: point.x, y_mm: -point.y };
}

at("map").addEventListener("pointerup", (event) => {
  if (dragged === null) return;
  const vector = scene.vectors[dragged], to = mapPoint(event);
  dragged = null;
  if (Math.hypot(to.x_mm - vector.x_mm, to.y_mm - vector.y_mm) > 5) tell("place", { vectors: [{ vector: vector.vector, heading_rad: vector.heading_rad, ...to }] });
});
at("map").addEventListener("pointercancel", () => { dragged = null; });

const MOVES = { ArrowUp: [0, MOVE_MM, 0], ArrowDown: [0, -MOVE_MM, 0], ArrowRight: [MOVE_MM, 0, 0], ArrowLeft: [-MOVE_MM, 0, 0], "+": [0, 0, TURN_RAD], "-": [0, 0, -TURN_RAD] };
at("map").addEventListener("keydown", (event) => {
  const move = MOVES[event.key], vector = scene && scene.vectors[chosen];
  if (!move || !vector) return;
  event.preventDefault();
  tell("place", { vectors: [{ vector: chosen, x_mm: vector.x_mm + move[0], y_mm: vector.y_mm + move[1], heading_rad: vector.heading_rad + move[2] }] });
});

// -- cameras --

function camera(robot) {
  if (!cameras.has(robot.serial)) {
    const image = new Image(), boxes = svg("svg", { preserveAspectRatio: "none" });
    image.alt = `what robot ${robot.serial} sees`;
    const frame = document.createElement("div"), figure = document.createElement("figure"), words = document.createElement("figcaption");
    frame.append(image, boxes);
    figure.append(frame, words);
    at("cameras").append(figure);
    cameras.set(robot.serial, { image, boxes, words, id: -1, times: [] });
    look(robot.serial);
  }
  return cameras.get(robot.serial);
}

async function look(serial) {
  const shown = cameras.get(serial);
  let pause = IMAGE_MS;
  try {
    const answer = document.hidden ? null : await ask(`image?serial=${serial}&after=${shown.id}`);
    if (answer && answer.status === 200) {
      const image = await answer.json();
      shown.id = image.image_id;
      shown.image.src = `data:image/jpeg;base64,${image.jpeg}`;
      if (image.size_wh) shown.boxes.setAttribute("viewBox", `0 0 ${image.size_wh[0]} ${image.size_wh[1]}`);
      shown.boxes.replaceChildren(...image.boxes.map(({ xyxy: [x1, y1, x2, y2] }) => svg("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1 })));
      if (!image.streamed) pause = DRAWN_MS;
    }
  } catch {
    pause = RETRY_MS;
  }
  setTimeout(look, pause, serial);
}

// -- the rest --

function cell(row, text, kind = "td") {
  row.append(Object.assign(document.createElement(kind), { textContent: text }));
}

function drawState() {
  const table = document.createElement("table"), head = table.insertRow();
  ["Vector", "wheels, mm/s", "head", "bumps", "falls", "control"].forEach((word) => cell(head, word, "th"));
  for (const vector of scene.vectors) {
    const robot = scene.robots.find((one) => one.vector === vector.vector), row = table.insertRow();
    cell(row, robot ? `${vector.vector}: ${robot.serial}` : `${vector.vector}: target`);
    cell(row, `${vector.left_mmps.toFixed(0)}, ${vector.right_mmps.toFixed(0)}`);
    cell(row, `${(vector.head_angle_rad * 180 / Math.PI).toFixed(0)}°`);
    cell(row, robot ? robot.collisions : "");
    cell(row, robot ? robot.falls : "");
    cell(row, robot ? (robot.controlled ? "a program" : "itself") : "");
    if (robot) {
      camera(robot).words.replaceChildren(Object.assign(document.createElement("b"), { textContent: robot.serial }),
        Object.assign(document.createElement("span"), { textContent: robot.streams ? `streamed to ${robot.streams}` : scene.lockstep ? "nobody streams: no image in lockstep" : "nobody streams: drawn for this page" }));
    }
  }
  at("state").replaceChildren(table);
}

function drawFaults() {
  if (!at("faults").children.length) {
    at("faults").append(...Object.entries(scene.faults).map(([name, fault]) => {
      const button = Object.assign(document.createElement("button"), { textContent: name.replaceAll("_", " "), title: fault.does });
      button.dataset.fault = name;
      button.addEventListener("click", () => act(name, button));
      return button;
    }));
    at("who").append(...scene.robots.map((robot) => new Option(robot.serial, robot.serial)));
  }
  for (const button of at("faults").children) {
    const on = scene.robots.some((robot) => robot.faults.includes(button.dataset.fault));
    button.classList.toggle("on", on);
    button.setAttribute("aria-pressed", on);
  }
}

function act(name, button) {
  const who = at("who").value ? { serial: at("who").value } : {};
  if (button.classList.contains("on")) return tell("fault", { fault: "clear", name, ...who });
  if (name === "kill" && !confirm("End the simulator at once?")) return null;
  const ms = at("ms").value === "" || !scene.faults[name].lasts ? {} : { ms: Number(at("ms").value) };
  return tell("fault", { fault: name, ...ms, ...who });
}

const speeds = new Map();
function withoutRepeats(log) { // the server leaves repeats out of each answer, this one those between two answers
  return log.filter((entry) => {
    if (entry.kind !== "wheels") return true;
    const key = `${entry.left_mmps},${entry.right_mmps}`, known = speeds.get(entry.serial) === key;
    if (entry.t_ms >= sinceMs) speeds.set(entry.serial, key);
    return !known;
  });
}

function drawLog() {
  const fresh = withoutRepeats(scene.log).filter((entry) => { const key = JSON.stringify(entry); return !lines.has(key) && lines.add(key); });
  if (!fresh.length) return;
  entries = [...fresh.reverse(), ...entries].slice(0, 200);
  sinceMs = entries[0].t_ms;
  at("log").replaceChildren(...entries.map((entry) => {
    const { t_ms, kind, ...rest } = entry, line = document.createElement("li");
    line.append(Object.assign(document.createElement("time"), { textContent: `${(t_ms / 1000).toFixed(2)} s` }),
      Object.assign(document.createElement("span"), { textContent: kind, className: kind }),
      Object.assign(document.createElement("span"), { textContent: Object.entries(rest).filter(([, value]) => value !== null).map(([key, value]) => `${key.replaceAll("_", " ")} ${typeof value === "number" ? Math.round(value * 100) / 100 : value}`).join(", ") }));
    return line;
  }));
  if (lines.size > 5000) lines.clear();
}

async function watch() {
  let pause = SCENE_MS;
  try {
    const answer = await ask(`scene?since_ms=${sinceMs}`);
    if (!answer.ok) throw new Error((await answer.json()).error);
    scene = await answer.json();
    at("trouble").hidden = true;
    at("world").textContent = `room ${scene.seed}, ${scene.room.surface === "table" ? "on a table" : "on a floor"}`;
    at("time").textContent = `${(scene.t_ms / 1000).toFixed(1)} s${scene.lockstep ? ", lockstep" : ""}`;
    at("step").hidden = !scene.lockstep;
    if (roomSeed !== scene.seed) { roomSeed = scene.seed; at("seed").value = scene.seed; drawRoom(); }
    if (dragged === null) drawVectors();
    drawState();
    drawFaults();
    drawLog();
  } catch (error) {
    at("trouble").hidden = false;
    at("trouble").textContent = error instanceof TypeError ? "The simulator no longer answers: it has ended, or stands still." : String(error.message);
    pause = RETRY_MS;
  }
  setTimeout(watch, pause);
}

at("go").addEventListener("submit", (event) => { event.preventDefault(); tell("world", { seed: Number(at("seed").value) }); });
at("step").addEventListener("click", () => tell("step", { frames: 1 }));
at("clear").addEventListener("click", () => tell("fault", { fault: "clear" }));
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "c") at("clear").click();
  if (event.key === "n" && !at("step").hidden) at("step").click();
});
watch();
