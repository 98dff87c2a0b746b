// Asks the capture for its status and its newest image, and sends keys. Everything shown comes from the status.
import { ask } from "./ask.js";
import { drawBoxes } from "./boxes.js";
import { byId, make, plural, svg } from "./dom.js";
import { pageKey } from "./keys.js";

const KEYS = {
  k: "keep",
  x: "drop",
  u: "undo",
  p: "pause",
  " ": "pause",
  q: "quit",
  w: "forward",
  s: "back",
  a: "left",
  d: "right",
  r: "head up",
  f: "head down",
  ArrowUp: "forward",
  ArrowDown: "back",
  ArrowLeft: "left",
  ArrowRight: "right",
};
const ONCE = ["keep", "drop", "undo", "pause", "quit"]; // however long the key is held
const EVERY_MS = 120;
const RETRY_MS = 1000;
const KEPT_MS = 350;
let shownId = null;
let shownKept = null;
let address = null;

function press(action) {
  ask("press", { action }).catch(() => {}); // the next look at the status shows what is wrong
}

function showStatus(status) {
  byId("session").textContent = status.session;
  const fps = status.camera_fps === null ? "" : `camera ${status.camera_fps.toFixed(1)} frames per second · `;
  byId("rates").textContent = `${fps}${plural(status.seen, "frame")} seen`;
  byId("kept").textContent = status.kept;
  byId("of").textContent = status.goal;
  byId("progress").max = Math.max(status.goal, 1);
  byId("progress").value = status.kept;
  byId("negatives").textContent = `${status.negatives} without a Vector in all sessions`;
  byId("hint").hidden = !status.hint;
  byId("hint").textContent = status.hint;
  const found = status.boxes_by
    ? `${plural(status.boxes_xyxy.length, "Vector")} according to ${status.boxes_by}`
    : "without --model, distance and place in the image are unknown";
  byId("verdict").replaceChildren(
    make("strong", status.verdict || "…"),
    ` · ${found}${status.answer && ` · ${status.answer}`}`,
  );
  byId("pause").setAttribute("aria-pressed", status.paused);
  byId("pause").querySelector("span").textContent = status.paused ? "continue" : "pause";
  drawBoxes(byId("boxes"), status.size_wh, { boxes: status.boxes_xyxy.map((xyxy) => ({ xyxy })) });
  if (shownKept !== null && status.kept > shownKept) {
    byId("stage").classList.add("kept");
    setTimeout(() => byId("stage").classList.remove("kept"), KEPT_MS);
  }
  shownKept = status.kept;
  showCoverage(status.coverage, status.lacking);
  showPlaces(status.places);
}

function showCoverage(coverage, lacking) {
  const blocks = Object.entries(coverage).map(([kind, bins]) => {
    const highest = Math.max(1, ...Object.values(bins));
    const list = make("dl");
    for (const [name, count] of Object.entries(bins)) {
      const few = (lacking[kind] ?? []).includes(name) ? "few" : "";
      const track = make("div", "", "track");
      const bar = svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
      bar.append(svg("rect", { width: (100 * count) / highest, height: 1 }));
      track.append(bar);
      list.append(
        make("dt", name, few),
        track,
        make("dd", few ? (count ? `${count} few` : "none") : count, few),
      );
    }
    const block = make("section", "", "kind");
    block.append(make("h2", kind), list);
    return block;
  });
  byId("coverage").replaceChildren(...blocks);
}

function showPlaces(rows) {
  const highest = Math.max(1, ...rows.flat());
  const [width, height] = [160 / (rows[0]?.length ?? 1), 90 / Math.max(rows.length, 1)];
  const map = svg("svg", { viewBox: "0 0 160 90", preserveAspectRatio: "none" });
  rows.forEach((row, y) => {
    row.forEach((count, x) => {
      if (!count) return;
      const opacity = (0.12 + (0.6 * count) / highest).toFixed(2);
      map.append(svg("rect", { x: x * width, y: y * height, width, height, opacity }));
      map.append(svg("text", { x: (x + 0.5) * width, y: (y + 0.5) * height }, String(count)));
    });
  });
  byId("places").replaceChildren(map);
  const text = rows.map((row) => row.join(" ")).join("; ");
  byId("places").setAttribute(
    "aria-label",
    `Boxes by place, ${rows.length} rows from top to bottom: ${text}`,
  );
}

async function showImage(id) {
  const answer = await fetch("camera");
  if (!answer.ok) return;
  const next = URL.createObjectURL(await answer.blob());
  byId("camera").src = next;
  if (address) URL.revokeObjectURL(address);
  address = next;
  shownId = id;
  byId("waiting").hidden = true;
}

async function look() {
  let pauseMs = EVERY_MS;
  try {
    const status = await ask("status");
    showStatus(status);
    if (status.image_id !== shownId && status.image_id >= 0) await showImage(status.image_id);
    if (status.over) {
      byId("verdict").textContent = "The capture has ended; this page can be closed.";
      for (const button of document.querySelectorAll("button")) button.disabled = true;
      return;
    }
  } catch {
    byId("verdict").textContent = "The capture does not answer; it may have ended.";
    pauseMs = RETRY_MS;
  }
  setTimeout(look, pauseMs);
}

for (const button of document.querySelectorAll("[data-press]")) {
  button.addEventListener("click", () => press(button.dataset.press));
}
document.addEventListener("keydown", (event) => {
  const action = KEYS[pageKey(event)];
  if (!action) return;
  event.preventDefault();
  if (!event.repeat || !ONCE.includes(action)) press(action);
});
look();
