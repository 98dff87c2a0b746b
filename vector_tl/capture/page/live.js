"use strict";
// Asks the capture for its status and its newest image, and sends keys. Everything shown comes from the status.

const KEYS = {
  k: "keep", x: "drop", u: "undo", p: "pause", " ": "pause", q: "quit",
  w: "forward", s: "back", a: "left", d: "right", r: "head up", f: "head down",
  arrowup: "forward", arrowdown: "back", arrowleft: "left", arrowright: "right",
};
const EVERY_MS = 120, RETRY_MS = 1000, KEPT_MS = 350;
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);
let shownId = null, shownKept = null, address = null;

function svg(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

async function press(action) {
  try {
    await fetch("press", { method: "POST", body: action });
  } catch { /* the next look at the status tells */ }
}

function showStatus(status) {
  at("session").textContent = status.session;
  const fps = status.camera_fps === null ? "" : `camera ${status.camera_fps.toFixed(1)} frames a second · `;
  at("rates").textContent = `${fps}${status.seen} seen`;
  at("kept").textContent = status.kept;
  at("of").textContent = status.goal;
  at("progress").max = Math.max(status.goal, 1);
  at("progress").value = status.kept;
  at("negatives").textContent = `${status.negatives} without a Vector in all sessions`;
  at("hint").hidden = !status.hint;
  at("hint").textContent = status.hint ? `So far ${status.hint}` : "";
  const by = status.boxes_by ? `${status.boxes_xyxy.length} Vector${status.boxes_xyxy.length === 1 ? "" : "s"} (says ${status.boxes_by})`
    : "Distance and place are unknown without --model";
  const word = at("word");
  word.replaceChildren(Object.assign(document.createElement("strong"), { textContent: status.word || "…" }),
    ` · ${by}${status.said ? ` · ${status.said}` : ""}`);
  at("pause").setAttribute("aria-pressed", status.paused);
  at("pause").querySelector("span").textContent = status.paused ? "go on" : "pause";
  at("boxes").setAttribute("viewBox", `0 0 ${status.size_wh[0]} ${status.size_wh[1]}`);
  at("boxes").replaceChildren(...status.boxes_xyxy.map(([x1, y1, x2, y2]) => svg("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1 })));
  if (shownKept !== null && status.kept > shownKept) {
    at("stage").classList.add("kept");
    setTimeout(() => at("stage").classList.remove("kept"), KEPT_MS);
  }
  shownKept = status.kept;
  showCoverage(status.coverage, status.lacking);
  showPlaces(status.places);
}

function showCoverage(coverage, lacking) {
  at("coverage").replaceChildren(...Object.entries(coverage).map(([kind, bins]) => {
    const most = Math.max(1, ...Object.values(bins));
    const list = document.createElement("dl");
    for (const [name, count] of Object.entries(bins)) {
      const few = (lacking[kind] || []).includes(name);
      const term = Object.assign(document.createElement("dt"), { textContent: name, className: few ? "few" : "" });
      const track = Object.assign(document.createElement("div"), { className: "track" });
      const bar = svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
      bar.append(svg("rect", { width: 100 * count / most, height: 1 }));
      track.append(bar);
      const value = Object.assign(document.createElement("dd"), { textContent: few ? (count ? `${count} few` : "none") : count, className: few ? "few" : "" });
      list.append(term, track, value);
    }
    const block = Object.assign(document.createElement("section"), { className: "kind" });
    block.append(Object.assign(document.createElement("h2"), { textContent: kind }), list);
    return block;
  }));
}

function showPlaces(rows) {
  const columns = rows.length ? rows[0].length : 1, most = Math.max(1, ...rows.flat());
  const map = svg("svg", { viewBox: "0 0 160 90", preserveAspectRatio: "none" });
  const [width, height] = [160 / columns, 90 / Math.max(rows.length, 1)];
  rows.forEach((row, y) => row.forEach((count, x) => {
    if (count) {
      map.append(svg("rect", { x: x * width, y: y * height, width, height, opacity: (0.12 + 0.6 * count / most).toFixed(2) }));
      const label = svg("text", { x: (x + 0.5) * width, y: (y + 0.5) * height });
      label.textContent = count;
      map.append(label);
    }
  }));
  at("places").replaceChildren(map);
  at("places").setAttribute("aria-label", `Boxes by place, ${rows.length} rows from top to bottom: ${rows.map((row) => row.join(" ")).join("; ")}`);
}

async function showImage(id) {
  const answer = await fetch("camera");
  if (!answer.ok) return;
  const next = URL.createObjectURL(await answer.blob());
  at("camera").src = next;
  if (address) URL.revokeObjectURL(address);
  address = next;
  shownId = id;
  at("waiting").hidden = true;
}

async function look() {
  let wait = EVERY_MS;
  try {
    const status = await (await fetch("status")).json();
    showStatus(status);
    if (status.image_id !== shownId && status.image_id >= 0) await showImage(status.image_id);
    if (status.over) {
      at("word").textContent = "The capture has ended; this page can be closed.";
      for (const button of document.querySelectorAll("button")) button.disabled = true;
      return;
    }
  } catch {
    at("word").textContent = "The capture does not answer; it may have ended.";
    wait = RETRY_MS;
  }
  setTimeout(look, wait);
}

for (const button of document.querySelectorAll("[data-press]")) button.addEventListener("click", () => press(button.dataset.press));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = KEYS[event.key.toLowerCase()];
  if (!action || (event.key === " " && event.target.closest("button"))) return;
  event.preventDefault();
  if (event.repeat && ["keep", "drop", "undo", "pause", "quit"].includes(action)) return;
  press(action);
});
look();
