// Reads the stream of the run, says when nothing comes any more, and sends start, pause and stop.
import { ask, failure } from "./ask.js";
import { byId, setText, wait } from "./dom.js";
import { clearLog, showNews } from "./show.js";
import { readParts } from "./stream.js";

const SILENT_MS = 1500; // the server sends something four times a second
const ANSWER_MS = 3000;
const SLOW_MS = 800;
const AGAIN_MS = 1000;
const NO_IMAGE_MS = 700;
const RUNS = { waiting: "waiting for Start", running: "running", paused: "paused", stopped: "stopped" };
const BY_HAND = "Press Ctrl-C where vector-tl find runs, or lift the robot.";
const DONE = {
  stop: "Stopped: the wheels have been commanded to stop, and the run ends.",
  pause: "Paused: the wheels have been commanded to stop.",
  start: "",
};

let lastBeatMs = performance.now();
let news = null; // the newest part's JSON
let over = false;
let presses = 0;

// -- reading ------------------------------------------------------------------------------------

async function read() {
  while (!over) {
    const closing = new AbortController();
    const askedMs = performance.now(); // each attempt has its own time to be answered
    const silent = () => performance.now() - Math.max(lastBeatMs, askedMs) > 2 * SILENT_MS;
    const watch = setInterval(() => silent() && closing.abort(), 500);
    try {
      const answer = await fetch("stream", { signal: closing.signal, cache: "no-store" });
      if (answer.status === 503) throw failure((await answer.json()).error, 503);
      if (!answer.ok)
        throw failure("Open the address that vector-tl find printed last; this one has ended.", 0);
      beat();
      clearLog();
      await readParts(answer.body, take, beat);
    } catch (error) {
      if (error.status !== undefined) byId("trouble").dataset.why = error.message;
    }
    clearInterval(watch);
    if (!over) await wait(AGAIN_MS);
  }
}

function beat() {
  lastBeatMs = performance.now();
  delete byId("trouble").dataset.why;
}

function take(newest, jpeg) {
  news = newest;
  over ||= news.ended !== null;
  showNews(news, jpeg);
  showButtons();
}

// -- what changes by the passing of time: the connection, and images that do not come -------------

const connected = () => performance.now() - lastBeatMs < SILENT_MS;

function look() {
  const silentMs = performance.now() - lastBeatMs;
  const lost = !connected() && !over;
  const trouble = byId("trouble");
  trouble.hidden = !lost;
  if (lost) {
    const silent = `vector-tl find has not answered for ${(silentMs / 1000).toFixed(0)} s`;
    setText(
      trouble,
      trouble.dataset.why ?? `${silent}: what is shown is old, and STOP may not arrive. ${BY_HAND}`,
    );
  }
  const state = over
    ? `ended: ${news.ended}`
    : lost
      ? "connection lost"
      : news
        ? RUNS[news.run]
        : "connecting";
  setText(byId("run"), state);
  byId("run").className = over ? "over" : lost ? "lost" : (news?.run ?? "");
  const ageMs = (news?.frame_age_ms ?? Number.POSITIVE_INFINITY) + silentMs;
  const old = !over && ageMs > NO_IMAGE_MS;
  byId("no-image").hidden = !old;
  const since = Number.isFinite(ageMs)
    ? `no new image for ${(ageMs / 1000).toFixed(1)} s`
    : "waiting for an image";
  if (old) setText(byId("no-image"), since);
  showButtons();
}

function showButtons() {
  const live = connected() && !over && news?.run !== "stopped";
  byId("start").disabled = !(live && ["waiting", "paused"].includes(news?.run));
  byId("pause").disabled = !(live && news?.run === "running");
  byId("stop").disabled = over;
  setText(byId("start-word"), news?.run === "paused" ? "Continue" : "Start");
}

// -- start, pause, stop ---------------------------------------------------------------------------

async function press(action) {
  const mine = ++presses;
  const say = (text) => {
    if (mine === presses) byId("said").textContent = text;
  };
  say(action === "stop" ? "stopping ..." : "");
  const slow = setTimeout(() => say(`No answer to ${action} yet. If the robot moves: ${BY_HAND}`), SLOW_MS);
  const attempts = action === "stop" ? 5 : 1;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    try {
      await ask(action, {}, { keepalive: true, signal: AbortSignal.timeout(ANSWER_MS) });
      clearTimeout(slow);
      say(DONE[action]);
      return;
    } catch {
      clearTimeout(slow);
    }
    if (over && action === "stop") {
      say("The run had ended already.");
      return;
    }
    await wait(200);
  }
  say(action === "stop" ? `STOP did not arrive. ${BY_HAND}` : `${action} did not arrive.`);
}

for (const action of ["start", "pause", "stop"]) byId(action).addEventListener("click", () => press(action));

// Space and Escape stop, wherever the focus is; buttons are pressed with Enter.
function pressKey(event) {
  if (event.key === " " || event.key === "Escape") {
    event.preventDefault();
    if (!event.repeat && !byId("stop").disabled) press("stop");
    return;
  }
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "p") byId(news?.run === "paused" ? "start" : "pause").click();
  else if (key === "s") byId("start").click();
}

addEventListener("keydown", pressKey, true);
addEventListener("keyup", (event) => event.key === " " && event.preventDefault(), true);
setInterval(look, 100);
read();
