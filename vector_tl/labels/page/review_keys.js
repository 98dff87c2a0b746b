// What the person does: keys and clicks. Starts the page.
import { ask } from "./ask.js";
import { byId } from "./dom.js";
import { acts, alone, loadQueue } from "./review.js";
import { effort, tick } from "./review_effort.js";
import { sharpen } from "./review_images.js";
import { desk, stage } from "./review_state.js";
import { FILTER_NAMES } from "./review_words.js";

const ZOOM = 1.4;
const ACTS = {
  n: acts.none,
  s: acts.skip,
  p: acts.back,
  z: acts.undo,
  u: acts.undo,
  c: acts.carry,
  m: acts.other,
  x: acts.bin,
  r: acts.redraw,
  "?": acts.help,
  h: acts.help,
  Enter: () => (desk.retry ? acts.retry : acts.accept)(),
};
const EDITS = {
  Delete: () => stage.remove(),
  Backspace: () => stage.remove(),
  Escape: () => stage.revert(true),
  d: () => desk.image && stage.addInMiddle(),
  b: () => stage.boxes.length && stage.select((stage.selected + 1) % stage.boxes.length),
  "+": zoomIn,
  "=": zoomIn,
  "-": () => stage.zoom(1 / ZOOM),
  0: () => stage.resetZoom(),
  " ": () => {
    stage.panning = true;
  },
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function zoomIn() {
  stage.zoom(ZOOM);
  sharpen();
}

document.addEventListener("keydown", (event) => {
  tick();
  const modifier = ["Shift", "Control", "Alt", "Meta"].includes(event.key);
  if (!event.repeat && !modifier) effort.keys += 1;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (press(key, event)) event.preventDefault();
});

// Whether the key means something here.
function press(key, event) {
  if (byId("help").open) {
    if (ACTS[key] !== acts.help) return false;
    acts.help();
    return true;
  }
  const focus = document.activeElement;
  if (focus?.tagName === "SELECT") return false;
  if (focus?.tagName === "BUTTON" && ["Enter", " "].includes(key)) return false; // it is the button's
  const ctrl = event.ctrlKey || event.metaKey;
  if (ARROWS[key]) {
    const [dx, dy] = ARROWS[key].map((step) => step * (ctrl ? 10 : 1));
    stage.nudge(dx, dy, event.shiftKey ? "last" : event.altKey ? "first" : "both");
    return true;
  }
  if ((ctrl && key !== "z") || event.altKey) return false; // the browser's own
  if (ACTS[key]) {
    if (!event.repeat) ACTS[key](); // a key held down is not an answer to several images
    return true;
  }
  EDITS[key]?.();
  return key in EDITS;
}

document.addEventListener("keyup", (event) => {
  if (event.key === " ") stage.panning = false;
});
byId("canvas").addEventListener("wheel", () => sharpen(), { passive: true });
byId("canvas").addEventListener("pointerdown", () => byId("stage").focus({ preventScroll: true }));

document.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]")?.dataset.act;
  if (!act) return;
  acts[act]();
  if (act !== "help") byId("stage").focus({ preventScroll: true });
});
for (const id of ["filter", "session", "order"]) {
  byId(id).addEventListener("change", () => {
    alone(loadQueue);
    byId("stage").focus();
  });
}
window.addEventListener("beforeunload", (event) => {
  if (desk.image && stage.dirty) event.preventDefault();
});

alone(async () => {
  const start = await ask("start");
  const asked = new URLSearchParams(location.hash.slice(1));
  document.title = `Review ${start.data}`;
  desk.folder = /^[\w@%+=:,./-]+$/.test(start.data) ? start.data : `'${start.data.replaceAll("'", "'\\''")}'`;
  byId("filter").replaceChildren(
    ...Object.entries(FILTER_NAMES).map(([value, name]) => new Option(name, value)),
  );
  byId("filter").value = asked.get("filter") in FILTER_NAMES ? asked.get("filter") : start.filter;
  if (asked.get("order") === "name") byId("order").value = "name";
  const session = asked.get("session") ?? start.session ?? "";
  byId("session").replaceChildren(new Option(session || "all sessions", session));
  await loadQueue();
  byId("stage").focus();
});
