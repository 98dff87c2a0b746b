// The sliders: which training, how long, and from which confidence on a box counts.
import { byId, make, setText } from "../../../web/page/dom.js";
import { startBlind } from "./blind.js";
import { drawCurves, drawTrade } from "./charts.js";
import { drawMarks, judge } from "./marks.js";
import { startPhoto } from "./photo.js";
import { startQuiz } from "./quiz.js";

const ARMS = ["scratch", "coco"];
const STEP_MS = 900;
const { words, figures } = JSON.parse(byId("data").textContent);
const locale = words.language;
const allImages = Math.max(...figures.trainings.map((training) => training.images));
const untrained = figures.trainings.some(
  ({ images, points }) => images === allImages && !points[0].images_seen,
);
const trained = [...new Set(figures.trainings.map((training) => training.images))].sort((a, b) => a - b);
const sizes = untrained ? [0, ...trained] : trained;
const state = { size: sizes.length - 1, time: 0, threshold: figures.thresholds.indexOf(0.5), scene: 1 };
let playing = null;

const fill = (text, values) =>
  text.replace(/\{(\w+)\}/g, (whole, key) =>
    key in values ? (values[key].toLocaleString?.(locale) ?? values[key]) : whole,
  );

// -- what the sliders stand for

function trainingOf(arm) {
  const images = sizes[state.size] || allImages;
  return figures.trainings.find((training) => training.arm === arm && training.images === images);
}

function times() {
  if (!sizes[state.size]) return [0];
  const [first, second] = ARMS.map((arm) => trainingOf(arm).points.map((point) => point.images_seen));
  return first.filter((seen) => second.includes(seen));
}

// The moment at which one twin is furthest ahead of the other.
function mostDifferent() {
  const heights = ARMS.map((arm) => new Map(trainingOf(arm).points.map((p) => [p.images_seen, p.ap50 ?? 0])));
  const gaps = times().map((seen) => Math.abs(heights[1].get(seen) - heights[0].get(seen)));
  return gaps.lastIndexOf(Math.max(...gaps));
}

const imagesSeen = () => times()[state.time];
const pointOf = (arm) => trainingOf(arm).points.find((point) => point.images_seen === imagesSeen());
const threshold = () => figures.thresholds[state.threshold];
const percent = (share) => (Number.isFinite(share) ? `${Math.round(100 * share)} %` : "-");

// -- the page

function showTwins() {
  const scene = figures.scenes[state.scene];
  for (const arm of ARMS) {
    const twin = document.querySelector(`#twins .${arm}`);
    const marks = judge(pointOf(arm).boxes[state.scene], scene.vectors, threshold());
    const values = { found: marks.found.length, vectors: scene.vectors.length, alarms: marks.alarms.length };
    const text = fill(scene.vectors.length ? words.in_image : words.in_image_none, values);
    const image = twin.querySelector("img");
    if (image.src !== scene.image) image.src = scene.image;
    image.alt = `${words[arm]}: ${text}`;
    setText(twin.querySelector(".count"), text);
    drawMarks(twin.querySelector("svg"), marks);
  }
}

function showTotals() {
  const rows = byId("totals").tBodies[0].rows;
  for (const [column, arm] of ARMS.entries()) {
    const point = pointOf(arm);
    const [found, alarms] = [point.found[state.threshold], point.false_alarms[state.threshold]];
    const cells = [percent(found / figures.vectors), percent(found / (found + alarms)), String(alarms)];
    for (const [i, text] of cells.entries()) setText(rows[i].cells[column + 1], text);
  }
}

function showControls() {
  const images = sizes[state.size];
  setSlider("images", sizes.length - 1, state.size, images.toLocaleString(locale));
  const seen = imagesSeen();
  setSlider("time", times().length - 1, state.time, fill(words.time_value, { n: seen }));
  byId("time").disabled = times().length < 2;
  setText(byId("time-note"), images ? fill(words.time_note, { n: seen, images }) : words.no_images);
  setSlider("threshold", figures.thresholds.length - 1, state.threshold, percent(threshold()));
  setText(byId("play"), playing ? words.stop : words.play);
  byId("play").disabled = times().length < 2;
  setText(byId("scene"), fill(words.scene, { n: state.scene + 1, of: figures.scenes.length }));
  for (const [number, button] of [...byId("strip").children].entries())
    button.setAttribute("aria-pressed", String(number === state.scene));
}

function setSlider(id, max, value, text) {
  const slider = byId(id);
  slider.max = max;
  slider.value = value;
  slider.setAttribute("aria-valuetext", text);
  setText(byId(`${id}-value`), text);
}

function showCharts() {
  const images = sizes[state.size] || allImages;
  const curves = sizes[state.size] ? figures.curves.filter((curve) => curve.images === images) : [];
  const trainings = ARMS.map(trainingOf);
  drawCurves(byId("curve"), { curves, trainings, seen: imagesSeen(), words, locale });
  const seeds = Math.max(...curves.map((curve) => curve.seeds), 0);
  setText(byId("curve-about"), seeds ? fill(words.curve_about, { seeds }) : words.curve_none);
  const twins = ARMS.map((arm) => ({ arm, point: pointOf(arm) }));
  const { thresholds, vectors } = figures;
  drawTrade(byId("trade"), { thresholds, twins, vectors, at: state.threshold, words, locale });
}

function show() {
  showControls();
  showTwins();
  showTotals();
  showCharts();
  drawPhoto();
}

// -- what a person does

function setSize(size) {
  const before = imagesSeen();
  state.size = size;
  const near = times().map((seen) => Math.abs(seen - before));
  state.time = near.indexOf(Math.min(...near));
}

function play(on) {
  clearInterval(playing);
  playing = null;
  if (on) {
    if (state.time >= times().length - 1) state.time = 0;
    playing = setInterval(() => {
      if (state.time < times().length - 1) state.time += 1;
      if (state.time >= times().length - 1) play(false);
      show();
    }, STEP_MS);
  }
  show();
}

function turn(by) {
  state.scene = (state.scene + by + figures.scenes.length) % figures.scenes.length;
  show();
}

function listen() {
  const slide = (id, act) =>
    byId(id).addEventListener("input", () => {
      const value = Number(byId(id).value); // before `play`, which shows the state as it was
      if (id !== "threshold") play(false);
      act(value);
      show();
    });
  slide("images", setSize);
  slide("time", (value) => {
    state.time = value;
  });
  slide("threshold", (value) => {
    state.threshold = value;
  });
  byId("play").addEventListener("click", () => play(!playing));
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  addEventListener("resize", showTwins);
}

function fillStrip() {
  byId("strip").append(
    ...figures.scenes.map((scene, number) => {
      const button = make("button");
      button.type = "button";
      button.append(Object.assign(make("img"), { src: scene.image, alt: "" }));
      button.setAttribute("aria-label", fill(words.scene, { n: number + 1, of: figures.scenes.length }));
      button.addEventListener("click", () => turn(number - state.scene));
      return button;
    }),
  );
}

fillStrip();
const drawPhoto = startPhoto({ words, fill, threshold });
startBlind({ words, figures, fill });
startQuiz({ words, fill });
byId("print").addEventListener("click", () => print());
listen();
state.time = mostDifferent();
show();
