// What the person does: keys, clicks, and how long they were at it. Starts the page.
"use strict";

// ---- effort: seconds at work, keys, clicks, drags

function tick() {
  const now = performance.now();
  if (document.visibilityState === "visible") effort.active_s += Math.min((now - effort.last) / 1000, IDLE_S);
  effort.last = now;
}

let pressed = null;
document.addEventListener("pointerdown", (event) => { tick(); pressed = [event.clientX, event.clientY]; }, true);
document.addEventListener("pointerup", (event) => {
  if (pressed) effort[Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 4 ? "clicks" : "drags"] += 1;
  pressed = null;
}, true);
for (const kind of ["pointermove", "wheel"]) document.addEventListener(kind, tick, { capture: true, passive: true });
document.addEventListener("visibilitychange", () => { effort.last = performance.now(); });

// ---- keys

const KEYS = { n: "none", s: "skip", p: "back", z: "undo", u: "undo", c: "carry", m: "other", x: "bin", r: "redraw", "?": "help", h: "help" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

document.addEventListener("keydown", (event) => {
  tick();
  const modifier = ["Shift", "Control", "Alt", "Meta"].includes(event.key);
  if (!event.repeat && !modifier) effort.keys += 1;
  if ($("help").open) {
    if (event.key === "?" || event.key === "h") { event.preventDefault(); acts.help(); }
    return;
  }
  const focus = document.activeElement;
  if (focus?.tagName === "SELECT") return;
  if (focus?.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return; // it is the button's
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const undo = (event.ctrlKey || event.metaKey) && key === "z";
  if (!undo && !ARROWS[key] && (event.ctrlKey || event.metaKey || event.altKey)) return; // the browser's own
  const act = undo ? acts.undo : acts[KEYS[key]];
  if (act) { if (!event.repeat) act(); } // a key held down is not an answer to several images
  else if (key === "Enter") { if (!event.repeat) (desk.retry ? acts.retry : acts.accept)(); }
  else if (ARROWS[key]) {
    const by = event.ctrlKey || event.metaKey ? 10 : 1, [dx, dy] = ARROWS[key];
    stage.nudge(dx * by, dy * by, event.shiftKey ? "last" : event.altKey ? "first" : "both");
  } else if (key === "Delete" || key === "Backspace") stage.remove();
  else if (key === "Escape") stage.revert(true);
  else if (key === "d") { if (desk.image) stage.addInMiddle(); }
  else if (key === "b") { if (stage.boxes.length) stage.select((stage.selected + 1) % stage.boxes.length); }
  else if (key === "+" || key === "=") { stage.zoom(1.4); sharpen(); }
  else if (key === "-") stage.zoom(1 / 1.4);
  else if (key === "0") stage.resetZoom();
  else if (key === " ") stage.panning = true;
  else return;
  event.preventDefault();
});
document.addEventListener("keyup", (event) => { if (event.key === " ") stage.panning = false; });
$("canvas").addEventListener("wheel", () => sharpen(), { passive: true });
$("canvas").addEventListener("pointerdown", () => $("stage").focus({ preventScroll: true }));

document.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]")?.dataset.act;
  if (!act) return;
  acts[act]();
  if (act !== "help") $("stage").focus({ preventScroll: true });
});
for (const id of ["filter", "session", "order"]) $(id).addEventListener("change", () => { alone(loadQueue); $("stage").focus(); });
window.addEventListener("beforeunload", (event) => { if (desk.image && stage.dirty) event.preventDefault(); });

alone(async () => {
  const start = await ask("start"), asked = new URLSearchParams(location.hash.slice(1));
  document.title = `Review ${start.data}`;
  $("filter").replaceChildren(...Object.entries(FILTER_NAMES).map(([value, name]) => new Option(name, value)));
  $("filter").value = asked.get("filter") in FILTER_NAMES ? asked.get("filter") : start.filter;
  if (asked.get("order") === "name") $("order").value = "name";
  const session = asked.get("session") ?? start.session ?? "";
  $("session").replaceChildren(new Option(session || "all sessions", session));
  await loadQueue();
  $("stage").focus();
});
