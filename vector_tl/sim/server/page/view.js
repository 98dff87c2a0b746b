// Asks for the scene and the images, and sends the simulator what the person does: POSTs of the ground-truth channel.
import { ask } from "./ask.js";
import { drawBoxes } from "./boxes.js";
import { byId, make, setText, svg } from "./dom.js";
import { pageKey } from "./keys.js";
import { drawRoom, drawVectors, listenToMap } from "./map.js";

const SCENE_MS = 150;
const IMAGE_MS = 100;
const PREVIEW_MS = 250;
const RETRY_MS = 1000;
const MAX_LINES = 200;
const MAX_KNOWN = 5000; // lines that are remembered as shown
const UNITS = { mmps: "mm/s", deg: "°", hz: "Hz" };
const STATES = new Set(["state", "event"]);
const cameras = new Map(); // serial -> {image, boxes, words, id}
const lines = new Set(); // of the log, as JSON
const speeds = new Map(); // serial -> the wheels' last speeds in the log
let scene = null;
let roomSeed = null;
let sinceMs = 0;
let entries = [];

async function act(path, body) {
  try {
    await ask(path, body);
    byId("said").textContent = "";
  } catch (error) {
    if (error.status) byId("said").textContent = error.message; // that nobody answers, the next look shows
  }
}

// -- cameras ------------------------------------------------------------------------------------

function camera(serial) {
  if (!cameras.has(serial)) {
    const image = Object.assign(new Image(), { alt: `what robot ${serial} sees` });
    const stage = make("div", "", "stage");
    const [boxes, words, figure] = [
      svg("svg", { preserveAspectRatio: "none" }),
      make("figcaption"),
      make("figure"),
    ];
    stage.append(image, boxes);
    figure.append(stage, words);
    byId("cameras").append(figure);
    cameras.set(serial, { image, boxes, words, id: -1 });
    lookThrough(serial);
  }
  return cameras.get(serial);
}

async function lookThrough(serial) {
  const shown = cameras.get(serial);
  let pauseMs = IMAGE_MS;
  try {
    const image = document.hidden ? null : await ask(`image?serial=${serial}&after=${shown.id}`);
    if (image) {
      shown.id = image.image_id;
      shown.image.src = `data:image/jpeg;base64,${image.jpeg}`;
      if (image.size_wh)
        drawBoxes(shown.boxes, image.size_wh, { boxes: image.boxes.map(({ xyxy }) => ({ xyxy })) });
      if (!image.streamed) pauseMs = PREVIEW_MS;
    }
  } catch {
    pauseMs = RETRY_MS;
  }
  setTimeout(lookThrough, pauseMs, serial);
}

// -- state, faults, log -------------------------------------------------------------------------

function showState() {
  const table = make("table");
  const addRow = (kind, texts) => table.insertRow().append(...texts.map((text) => make(kind, String(text))));
  addRow("th", ["Vector", "wheels, mm/s", "head", "bumps", "falls", "control"]);
  for (const vector of scene.vectors) {
    const robot = scene.robots.find((one) => one.vector === vector.vector);
    const wheels = `${vector.left_mmps.toFixed(0)}, ${vector.right_mmps.toFixed(0)}`;
    const head = `${((vector.head_angle_rad * 180) / Math.PI).toFixed(0)}°`;
    const own = robot
      ? [robot.collisions, robot.falls, robot.controlled ? "a program" : "itself"]
      : ["", "", ""];
    addRow("td", [`${vector.vector}: ${robot?.serial ?? "target"}`, wheels, head, ...own]);
    if (robot)
      camera(robot.serial).words.replaceChildren(make("b", robot.serial), make("span", streamed(robot)));
  }
  byId("state").replaceChildren(table);
}

function streamed(robot) {
  if (robot.streams > 1) return `streamed to ${robot.streams} programs`;
  if (robot.streams) return "streamed to a program";
  return scene.lockstep
    ? "no program connected; in lockstep there is no preview"
    : "no program connected; preview";
}

// What a person types in another terminal, so that a program meets this robot.
function connectCommand() {
  const home = /^[\w@%+=:,./-]+$/.test(scene.home) ? scene.home : `'${scene.home.replaceAll("'", "'\\''")}'`;
  return `HOME=${home} vector-tl find --robot ${scene.robots[0].serial} --page`;
}

function showFaults() {
  if (!byId("faults").children.length) {
    byId("faults").append(...Object.entries(scene.faults).map(([name, fault]) => faultButton(name, fault)));
    byId("who").append(...scene.robots.map((robot) => new Option(robot.serial, robot.serial)));
  }
  for (const button of byId("faults").children) {
    const on = scene.robots.some((robot) => robot.faults.includes(button.dataset.fault));
    button.classList.toggle("on", on);
    button.setAttribute("aria-pressed", on);
  }
}

function faultButton(name, fault) {
  const button = Object.assign(make("button", name.replaceAll("_", " ")), {
    type: "button",
    title: fault.does,
  });
  button.dataset.fault = name;
  button.addEventListener("click", () => {
    const who = byId("who").value ? { serial: byId("who").value } : {};
    if (button.classList.contains("on")) return act("fault", { fault: "clear", name, ...who });
    if (name === "kill" && !confirm("End the simulator at once?")) return null;
    const ms = byId("ms").value === "" || !fault.lasts ? {} : { ms: Number(byId("ms").value) };
    return act("fault", { fault: name, ...ms, ...who });
  });
  return button;
}

// The server leaves out speeds that repeat within an answer, this the first of an answer where it repeats the one before.
function withoutRepeats(log) {
  return log.filter((entry) => {
    if (entry.kind !== "wheels") return true;
    const key = `${entry.left_mmps},${entry.right_mmps}`;
    const known = speeds.get(entry.serial) === key;
    if (entry.t_ms >= sinceMs) speeds.set(entry.serial, key);
    return !known;
  });
}

function showLog() {
  byId("no-log").hidden = lines.size > 0 || scene.log.length > 0;
  const fresh = withoutRepeats(scene.log).filter((entry) => {
    const key = JSON.stringify(entry);
    return !lines.has(key) && lines.add(key);
  });
  if (!fresh.length) return;
  entries = [...fresh.reverse(), ...entries].slice(0, MAX_LINES);
  sinceMs = entries[0].t_ms;
  byId("log").replaceChildren(...entries.map(logLine));
  if (lines.size > MAX_KNOWN) lines.clear();
}

function logLine({ t_ms, kind, serial, ...rest }) {
  const known = Object.entries(rest).filter(([, value]) => value !== null);
  const words = known.map(([key, value]) => inWords(kind, key, value)).join(", ");
  const line = make("li");
  line.append(
    make("time", `${(t_ms / 1000).toFixed(2)} s`),
    make("span", kind.replaceAll("_", " "), kind),
    make("span", [serial, words].filter(Boolean).join(": ")),
  );
  return line;
}

// A value of the log, such as left_mmps 30.004 as "left 30 mm/s"; the kind of a line and its state are not named again.
function inWords(kind, key, value) {
  const [, name, unit] = key.match(/^(.+?)(?:_(mmps|mm|ms|rad|deg|hz))?$/);
  const said = name.replaceAll("_", " ");
  if (typeof value === "boolean") return value ? said : `not ${said}`;
  if (typeof value === "number")
    return `${said} ${Math.round(value * 100) / 100}${unit ? ` ${UNITS[unit] ?? unit}` : ""}`;
  if (name === kind || STATES.has(name)) return String(value).replaceAll("_", " ");
  return `${said} ${value}`;
}

// -- the scene ----------------------------------------------------------------------------------

function showScene() {
  byId("world").textContent =
    `room ${scene.seed}, ${scene.room.surface === "table" ? "on a table" : "on a floor"}`;
  byId("time").textContent = `${(scene.t_ms / 1000).toFixed(1)} s${scene.lockstep ? ", lockstep" : ""}`;
  byId("step").hidden = !scene.lockstep;
  byId("nobody").hidden = scene.robots.some((robot) => robot.streams || robot.controlled);
  setText(byId("connect"), connectCommand());
  if (roomSeed !== scene.seed) {
    roomSeed = scene.seed;
    byId("seed").value = scene.seed;
    drawRoom(scene);
  }
  drawVectors(scene.vectors);
  showState();
  showFaults();
  showLog();
}

async function watch() {
  let pauseMs = SCENE_MS;
  const trouble = byId("trouble");
  try {
    scene = await ask(`scene?since_ms=${sinceMs}`);
    trouble.hidden = true;
    showScene();
  } catch (error) {
    trouble.hidden = false;
    trouble.textContent =
      error.status === 0 ? "The simulator does not answer: it has ended, or stands still." : error.message;
    pauseMs = RETRY_MS;
  }
  setTimeout(watch, pauseMs);
}

listenToMap((vector) => act("place", { vectors: [vector] }));
byId("go").addEventListener("submit", (event) => {
  event.preventDefault();
  act("world", { seed: Number(byId("seed").value) });
});
byId("step").addEventListener("click", () => act("step", { frames: 1 }));
byId("clear").addEventListener("click", () => act("fault", { fault: "clear" }));
document.addEventListener("keydown", (event) => {
  const key = pageKey(event);
  if (key === "c") byId("clear").click();
  if (key === "n" && !byId("step").hidden) byId("step").click();
});
watch();
