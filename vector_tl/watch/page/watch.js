// Reads the stream, shows the newest image twice with each model's boxes, and sends keys.
import { ask, failure } from "./ask.js";
import { drawBoxes } from "./boxes.js";
import { byId, plural, setText, wait } from "./dom.js";
import { pageKey } from "./keys.js";
import { readParts } from "./stream.js";

const KEYS = { s: "keep", r: "record", " ": "hold", q: "quit", Escape: "quit" };
const SILENT_MS = 2000; // the server sends something four times a second
const AGAIN_MS = 1000;
const NO_IMAGE_MS = 2500;
const views = [...document.querySelectorAll(".view")].map((view) => ({
  view,
  canvas: view.querySelector("canvas"),
  boxes: view.querySelector("svg"),
  name: view.querySelector("h2"),
  about: view.querySelector(".about"),
  counts: view.querySelector(".counts"),
  none: view.querySelector(".no-image"),
  className: view.classList.contains("second") ? "first" : "second",
}));
let lastBeatMs = performance.now();
let lastImageMs = Number.NEGATIVE_INFINITY;
let news = null;
let over = false;
let newest = null; // {news, jpeg}: not drawn yet
let drawing = false;
let shown = null; // news of what is drawn

async function read() {
  while (!over) {
    const closing = new AbortController();
    const askedMs = performance.now();
    const silent = () => performance.now() - Math.max(lastBeatMs, askedMs) > 2 * SILENT_MS;
    const guard = setInterval(() => silent() && closing.abort(), 500);
    try {
      const answer = await fetch("stream", { signal: closing.signal, cache: "no-store" });
      if (answer.status === 503) throw failure((await answer.json()).error, 503);
      if (!answer.ok)
        throw failure("Open the address that vector-tl watch printed last; this one has ended.", 0);
      beat();
      await readParts(answer.body, take, beat);
    } catch (error) {
      if (error.status !== undefined) byId("trouble").dataset.why = error.message;
    }
    clearInterval(guard);
    if (!over) await wait(AGAIN_MS);
  }
}

function beat() {
  lastBeatMs = performance.now();
  delete byId("trouble").dataset.why;
}

function take(part, jpeg) {
  news = part;
  over ||= news.ended !== null;
  showWords();
  if (!jpeg) return;
  lastImageMs = performance.now();
  newest = { news, jpeg };
  if (!drawing) drawNewest();
}

async function drawNewest() {
  drawing = true;
  while (newest) {
    const { news: of, jpeg } = newest;
    newest = null;
    try {
      const image = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
      for (const { canvas } of views) {
        if (canvas.width !== image.width || canvas.height !== image.height) {
          [canvas.width, canvas.height] = [image.width, image.height];
        }
        canvas.getContext("2d").drawImage(image, 0, 0);
      }
      image.close();
    } catch {
      // a damaged image: its boxes are shown over the one before
    }
    drawLooks(of);
    views.forEach(({ canvas, counts }, side) => {
      const look = of.looks[side];
      const seen = look.boxes.length ? plural(look.boxes.length, "box", "boxes") : "no Vector seen";
      setText(counts, `${seen} · ${look.ms.toFixed(0)} ms`);
      canvas.setAttribute("aria-label", `The image, as ${of.about.models[side].name} sees it: ${seen}`);
    });
  }
  drawing = false;
}

function drawLooks(of) {
  shown = of;
  views.forEach(({ boxes, className }, side) => {
    drawBoxes(boxes, of.size_wh, { boxes: of.looks[side].boxes, className });
  });
}

function showWords() {
  setText(byId("source"), [news.about.source, news.file].filter(Boolean).join(": "));
  const kept = news.kept ? ` · ${plural(news.kept, "image")} kept` : "";
  setText(byId("rate"), news.fps === null ? "" : `${news.fps} images per second${kept}`);
  news.about.models.forEach(({ name, init, threshold }, side) => {
    const learned = init === "scratch" ? "trained from scratch" : `initial weights: ${init.toUpperCase()}`;
    setText(views[side].name, name);
    const percent = Math.round(1000 * threshold) / 10;
    setText(views[side].about, `${learned}; shows a box when at least ${percent} % sure`);
  });
  setText(byId("said"), news.said);
  byId("record").setAttribute("aria-pressed", news.recording);
  setText(byId("record").querySelector("span"), news.recording ? "end the recording" : "record");
  byId("hold").setAttribute("aria-pressed", news.held);
  setText(byId("hold").querySelector("span"), news.held ? "live again" : "hold the image");
}

function lookAtClock() {
  const silentMs = performance.now() - lastBeatMs;
  const lost = silentMs > SILENT_MS && !over;
  byId("trouble").hidden = !lost;
  if (lost) {
    const why = `vector-tl watch has not answered for ${(silentMs / 1000).toFixed(0)} s; it may have ended.`;
    setText(byId("trouble"), byId("trouble").dataset.why ?? why);
  }
  const recording = news?.recording ? "recording" : "live";
  const state = over ? "over" : lost ? "lost" : !news ? "" : news.held ? "held" : recording;
  const words = { over: `ended: ${news?.ended}`, lost: "connection lost", "": "connecting" };
  setText(byId("state"), words[state] ?? state);
  byId("state").className = state;
  const old = !over && !news?.held && performance.now() - lastImageMs > NO_IMAGE_MS;
  const since = Number.isFinite(lastImageMs)
    ? `no new image for ${((performance.now() - lastImageMs) / 1000).toFixed(0)} s`
    : "waiting for an image";
  for (const { none } of views) {
    none.hidden = !old;
    if (old) setText(none, since);
  }
  if (over) for (const button of document.querySelectorAll("button")) button.disabled = true;
}

function press(action) {
  ask("press", { action }).catch((error) =>
    setText(byId("said"), `${action} did not arrive: ${error.message}`),
  );
}

for (const button of document.querySelectorAll("[data-press]")) {
  button.addEventListener("click", () => press(button.dataset.press));
}
document.addEventListener("keydown", (event) => {
  const action = KEYS[pageKey(event)];
  if (!action || event.repeat || over) return;
  event.preventDefault();
  press(action);
});
addEventListener("resize", () => shown && drawLooks(shown)); // their numbers keep their size on the screen
setInterval(lookAtClock, 200);
read();
