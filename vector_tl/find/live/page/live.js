// The page only reads: the newest image with its boxes as one part of a stream; and it says start, pause, stop.
const $ = (id) => document.getElementById(id);
const SILENT_MS = 1500; // the server says something four times a second
const ANSWER_MS = 3000;
const SLOW_MS = 800;
const AGAIN_MS = 1000;
const MAX_LINES = 200;
const RUNS = { waiting: "waiting for Start", running: "running", paused: "paused", stopped: "stopped" };
const FLAGS = { picked_up: "picked up", falling: "falling", being_held: "being held", cliff: "at an edge", on_charger: "on its charger" };
const SVG = "http://www.w3.org/2000/svg";
const decoder = new TextDecoder();

let heardMs = performance.now();
let news = null; // the newest part's JSON
let newest = null; // {news, jpeg}: not drawn yet
let drawing = false;
let over = false;
let said = 0; // how many times somebody has pressed

// -- reading ------------------------------------------------------------------------------------

async function read() {
  while (!over) {
    const closing = new AbortController(), askedMs = performance.now(); // each attempt has its own time to be answered
    const watch = setInterval(() => performance.now() - Math.max(heardMs, askedMs) > 2 * SILENT_MS && closing.abort(), 500);
    try {
      const answer = await fetch("stream", { signal: closing.signal, cache: "no-store" });
      if (answer.status === 503) throw new Error((await answer.json()).error);
      if (!answer.ok) throw new Error("This address is no longer good: open the one that vector-tl find printed last.");
      heardMs = performance.now();
      $("log").replaceChildren();
      await take(answer.body.getReader());
    } catch (error) {
      if (!(error instanceof TypeError) && error.name !== "AbortError") $("trouble").dataset.why = error.message;
    }
    clearInterval(watch);
    if (!over) await new Promise((go) => setTimeout(go, AGAIN_MS));
  }
}

async function take(reader) {
  let held = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heardMs = performance.now();
    delete $("trouble").dataset.why;
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    for (;;) {
      if (held.length < 8) break;
      const sizes = new DataView(held.buffer, held.byteOffset);
      const json = sizes.getUint32(0), jpeg = sizes.getUint32(4);
      if (held.length < 8 + json + jpeg) break;
      hear(JSON.parse(decoder.decode(held.subarray(8, 8 + json))), jpeg ? held.slice(8 + json, 8 + json + jpeg) : null);
      held = held.slice(8 + json + jpeg);
    }
  }
}

function hear(told, jpeg) {
  news = told;
  over = over || told.ended !== null;
  write(told.log);
  tell(told);
  if (jpeg) {
    newest = { told, jpeg };
    if (!drawing) draw();
  }
}

// -- showing ------------------------------------------------------------------------------------

async function draw() {
  drawing = true;
  while (newest) {
    const { told, jpeg } = newest;
    newest = null;
    try {
      const image = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
      const canvas = $("camera");
      if (canvas.width !== image.width || canvas.height !== image.height) [canvas.width, canvas.height] = [image.width, image.height];
      canvas.getContext("2d").drawImage(image, 0, 0);
      image.close();
    } catch { /* no image: the boxes of it are none, either */ }
    $("boxes").setAttribute("viewBox", `0 0 ${told.size_wh[0]} ${told.size_wh[1]}`);
    $("boxes").replaceChildren(...rects(told.boxes, "first", told.size_wh), ...rects(told.also?.boxes ?? [], "second", told.size_wh));
    const count = told.boxes.length;
    $("camera").setAttribute("aria-label", `The robot's camera: ${count === 0 ? "no Vector seen" : count === 1 ? "one box" : `${count} boxes`}`);
  }
  drawing = false;
}

function rects(boxes, kind, [width, height]) {
  const size = 13 * width / ($("boxes").clientWidth || width); // 13 px on the screen
  return boxes.map(({ xyxy: [x1, y1, x2, y2], score }) => {
    const group = document.createElementNS(SVG, "g"), rect = document.createElementNS(SVG, "rect"), text = document.createElementNS(SVG, "text");
    group.setAttribute("class", kind);
    for (const [name, value] of Object.entries({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 })) rect.setAttribute(name, value);
    text.textContent = score.toFixed(2);
    text.setAttribute("font-size", size);
    text.setAttribute("x", kind === "first" ? x1 : x2);
    if (kind === "second") text.setAttribute("text-anchor", "end");
    text.setAttribute("y", kind === "first" ? (y1 > 1.4 * size ? y1 - 0.4 * size : y1 + 1.1 * size) : (y2 < height - 1.4 * size ? y2 + 1.1 * size : y2 - 0.4 * size));
    group.append(rect, text);
    return group;
  });
}

function tell(told) {
  const { about } = told;
  $("who").textContent = `${about.robot === "sim" ? "simulated robot" : "robot"} ${about.serial}, steered by ${about.model}${told.dry_run ? "; dry run: it never moves" : ""}`;
  $("first").textContent = `${about.model}${told.boxes ? `: ${told.boxes.length}` : ""}`;
  const also = told.also;
  document.querySelector("#legend .second").hidden = !also;
  if (also) $("second").textContent = `${also.name}: ${also.boxes.length}, looks on only, ${also.behind} frame${also.behind === 1 ? "" : "s"} behind, ${also.ms} ms each`;
  $("mode").textContent = told.mode ?? "–";
  const target = told.target;
  $("seen").textContent = target
    ? `${target.distance_mm} ± ${target.distance_sigma_mm} mm, ${Math.abs(target.bearing_deg).toFixed(0)}° ${target.bearing_deg >= 0 ? "left" : "right"}`
    : !told.mode ? "" : told.boxes.length ? "seen, not yet sure of it" : "no Vector in sight";
  figures(told);
  stages(told);
  buttons();
}

function figures(told) {
  const rows = [];
  const row = (name, value, warn = false) => rows.push([name, value, warn]);
  const pair = (values) => values.map((v) => (v > 0 ? "+" : "") + v).join(" / ");
  if (told.wheels_mmps) {
    row("wheels, left / right", `${pair(told.wheels_mmps)} mm/s`);
    row("wanted", `${pair(told.wanted_mmps)} mm/s${told.dry_run ? " (dry run)" : ""}`);
    const held = !told.sent && !told.dry_run && told.run === "running" && told.wanted_mmps.some((v) => v !== 0);
    if (held) row("held by the guard", told.stops.at(-1)?.reason ?? "not ready", true);
    row("free way ahead", told.range_mm === null ? "nothing in reach" : `${told.range_mm} mm`);
    row("head, heading", `${told.head_deg}°, ${told.heading_deg}°`);
    const flags = told.flags.map((flag) => FLAGS[flag]);
    row("state", flags.join(", ") || "on its treads", flags.some((flag) => flag !== FLAGS.on_charger));
  }
  const battery = told.battery;
  row("battery", battery ? `${battery.volts} V, ${battery.level}${battery.charging ? ", charging" : ""}` : "not known", battery?.level === "low");
  row("rate", told.fps === null ? "–" : `${told.fps} frames/s`);
  if (told.frame_age_ms !== undefined) {
    row("image, state old", `${Math.max(0, told.frame_age_ms)} ms, ${Math.max(0, told.state_age_ms)} ms`, told.frame_age_ms > 350);
    row("under way (lag)", `${told.lag_ms} ms`);
  }
  row("dropped, stale frames", `${told.dropped}, ${told.stale}`);
  const last = told.stops.at(-1);
  row("last guard stop", last ? `${last.reason}` : "none");
  const list = $("figures");
  while (list.children.length > 2 * rows.length) list.lastChild.remove();
  rows.forEach(([name, value, warn], index) => {
    if (!list.children[2 * index]) list.append(document.createElement("dt"), document.createElement("dd"));
    set(list.children[2 * index], name);
    set(list.children[2 * index + 1], value);
    list.children[2 * index + 1].classList.toggle("warn", warn);
  });
}

function stages(told) {
  const entries = Object.entries(told.stages_ms ?? {}).filter(([, laps]) => laps.p50 !== null);
  const most = Math.max(1, ...entries.filter(([name]) => name !== "wait").map(([, laps]) => laps.p95));
  if (told.latency_ms?.p50 != null) entries.push(["JPEG to command", told.latency_ms]);
  const rows = entries.map(([name, laps]) => {
    const row = document.createElement("tr"), head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.className = name === "JPEG to command" ? "total" : "";
    row.append(head, ...[laps.p50, laps.p95].map((ms) => Object.assign(document.createElement("td"), { textContent: ms.toFixed(1) })));
    const cell = document.createElement("td");
    if (name !== "wait" && name !== "JPEG to command") {
      const bar = document.createElementNS(SVG, "svg");
      bar.setAttribute("viewBox", "0 0 100 8");
      bar.setAttribute("preserveAspectRatio", "none");
      for (const ms of [laps.p95, laps.p50]) {
        const rect = document.createElementNS(SVG, "rect");
        rect.setAttribute("width", (100 * ms) / most);
        rect.setAttribute("height", 8);
        bar.append(rect);
      }
      cell.append(bar);
    }
    row.append(cell);
    return row;
  });
  const key = JSON.stringify([told.stages_ms, told.latency_ms]);
  if ($("stages").dataset.key !== key) {
    $("stages").dataset.key = key;
    $("stages").replaceChildren(...rows);
  }
}

function write(lines) {
  if (!lines.length) return;
  const items = lines.map(([t, line]) => {
    const item = document.createElement("li"), time = document.createElement("time"), text = document.createElement("span");
    time.textContent = `${t.toFixed(2)} s`;
    text.textContent = line;
    item.append(time, text);
    return item;
  });
  $("log").prepend(...items.reverse());
  while ($("log").children.length > MAX_LINES) $("log").lastChild.remove();
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function buttons() {
  const run = news?.run, live = connected() && !over && run !== "stopped";
  $("start").disabled = !(live && (run === "waiting" || run === "paused"));
  $("pause").disabled = !(live && run === "running");
  $("stop").disabled = over;
  if ($("start").firstChild.data.trim() !== (run === "paused" ? "Go on" : "Start")) $("start").firstChild.data = run === "paused" ? "Go on " : "Start ";
}

const connected = () => performance.now() - heardMs < SILENT_MS;

// What changes by the passing of time: the connection, and images that do not come.
function look() {
  const silentMs = performance.now() - heardMs;
  const lost = !connected() && !over;
  const trouble = $("trouble");
  trouble.hidden = !lost;
  if (lost) set(trouble, trouble.dataset.why ?? `No word from vector-tl find for ${(silentMs / 1000).toFixed(0)} s: what is shown is old, and STOP may not arrive. Press Ctrl-C where it runs, or lift the robot.`);
  const run = $("run");
  set(run, over ? `over: ${news.ended}` : lost ? "connection lost" : news ? RUNS[news.run] : "connecting");
  run.className = over ? "over" : lost ? "lost" : news?.run ?? "";
  const ageMs = (news?.frame_age_ms ?? Infinity) + silentMs;
  const old = !over && ageMs > 700;
  $("no-image").hidden = !old;
  if (old) set($("no-image"), news?.frame_age_ms === undefined ? "waiting for an image" : `no new image for ${(ageMs / 1000).toFixed(1)} s`);
  buttons();
}

// -- saying -------------------------------------------------------------------------------------

async function press(action) {
  const mine = ++said;
  const say = (text) => { if (mine === said) $("said").textContent = text; };
  say(action === "stop" ? "stopping ..." : "");
  const slow = setTimeout(() => say(`No answer to ${action} yet. If it moves, press Ctrl-C where vector-tl find runs, or lift it.`), SLOW_MS);
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(action, { method: "POST", keepalive: true, signal: AbortSignal.timeout(ANSWER_MS) });
      if (!answer.ok) throw new Error();
      say({ stop: "Stopped: the wheels were told to stand, and the run ends.", pause: "Paused: the wheels were told to stand.", start: "" }[action]);
      return clearTimeout(slow);
    } catch {
      clearTimeout(slow);
      if (over && action === "stop") return say("The run had ended already.");
      if (attempt === (action === "stop" ? 5 : 1)) {
        return say(action === "stop" ? "STOP did not arrive. Press Ctrl-C where vector-tl find runs, or lift the robot." : `${action} did not arrive.`);
      }
      await new Promise((go) => setTimeout(go, 200));
    }
  }
}

for (const action of ["start", "pause", "stop"]) $(action).addEventListener("click", () => press(action));

// Space and Escape stop, wherever the focus is; buttons are pressed with Enter.
addEventListener("keydown", (event) => {
  const stop = event.key === " " || event.key === "Escape";
  if (stop) {
    event.preventDefault();
    if (!event.repeat && !$("stop").disabled) press("stop");
    return;
  }
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "p") (news?.run === "paused" ? $("start") : $("pause")).click();
  else if (key === "s") $("start").click();
}, true);
addEventListener("keyup", (event) => event.key === " " && event.preventDefault(), true);

setInterval(look, 100);
read();
