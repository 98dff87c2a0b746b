// What a decision took: seconds at work, keys, clicks, drags.

const IDLE_S = 10; // a pause longer than this counts as so much
export const effort = { active_s: 0, keys: 0, clicks: 0, drags: 0, last: 0 };

export function beginEffort() {
  Object.assign(effort, { active_s: 0, keys: 0, clicks: 0, drags: 0, last: performance.now() });
}

export function tick() {
  const now = performance.now();
  if (document.visibilityState === "visible") effort.active_s += Math.min((now - effort.last) / 1000, IDLE_S);
  effort.last = now;
}

let pressed = null;
document.addEventListener(
  "pointerdown",
  (event) => {
    tick();
    pressed = [event.clientX, event.clientY];
  },
  true,
);
document.addEventListener(
  "pointerup",
  (event) => {
    if (pressed)
      effort[Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 4 ? "clicks" : "drags"] +=
        1;
    pressed = null;
  },
  true,
);
for (const kind of ["pointermove", "wheel"])
  document.addEventListener(kind, tick, { capture: true, passive: true });
document.addEventListener("visibilitychange", () => {
  effort.last = performance.now();
});
