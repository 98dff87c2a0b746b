// What the page says: about the image, its boxes, the queue, the pace; messages.
import { byId, make, plural } from "./dom.js";
import { desk, nameOf, sources, stage } from "./review_state.js";

export const FILTER_NAMES = {
  unlabelled: "unlabelled",
  suggested: "with suggestions",
  disagreement: "model and label disagree",
  all: "all",
  bin: "in the bin",
};
const EDITS = ["accept", "none", "redraw", "carry", "other"]; // not possible with an image in the bin
let hush;

export function say(text) {
  byId("message").textContent = text;
  byId("message").classList.add("shown");
  clearTimeout(hush);
  hush = setTimeout(() => byId("message").classList.remove("shown"), 1500 + 50 * text.length);
}

export function describe() {
  const { image } = desk;
  const left = Math.max(desk.queue.length - desk.at, 0);
  byId("progress").textContent = desk.queue.length || desk.done ? `${desk.done} done, ${left} to go` : "";
  for (const button of document.querySelectorAll("#acts button")) {
    const edits = EDITS.includes(button.dataset.act);
    button.disabled = image ? edits && image.binned : button.dataset.act !== "undo";
  }
  byId("about").replaceChildren(...(image ? aboutImage(image) : []));
  byId("boxes").replaceChildren(...(image ? stage.boxes.map(boxItem) : []));
  byId("accept-text").textContent = image ? acceptText() : "Accept";
  if (!image) return;
  byId("bin-text").textContent = image.binned ? "Restore" : "Move to bin";
  document.querySelector("#acts [data-act=other]").disabled ||= sources().length < 2;
}

function aboutImage(image) {
  const size = image.size_wh?.join(" × ") ?? "?";
  const lines = [make("h2", image.name), make("p", `${image.session} · ${size}`), make("p", stateOf(image))];
  const warn = (text) => lines.push(make("p", text, "warn"));
  if (stage.dirty) warn("Boxes changed, not saved yet");
  else if (desk.source && desk.source !== "label") {
    const what = desk.source === "mine" ? "Boxes" : "Suggested";
    warn(`${what} ${nameOf(desk.source)}${stage.boxes.length ? "" : ": no Vector"}`);
  }
  if (image.problem) warn(image.problem);
  return lines;
}

function stateOf({ binned, labelled, boxes, problem }) {
  if (binned) return "in the bin";
  if (problem) return "cannot be used as it is:";
  if (!labelled) return "not labelled yet";
  return boxes.length ? "labelled" : "labelled: no Vector";
}

function acceptText() {
  if (desk.source === "label" && !stage.dirty) return "Keep label";
  return !stage.boxes.length && (desk.source || stage.dirty) ? "Accept: no Vector" : "Accept";
}

function boxItem({ xyxy, score }, index) {
  const [x1, y1, x2, y2] = xyxy.map(Math.round);
  const sure = score === undefined ? "" : ` · ${score.toFixed(2)}`;
  const button = make("button", `${index + 1}: ${x2 - x1} × ${y2 - y1} at ${x1}, ${y1}${sure}`);
  button.setAttribute("aria-pressed", String(index === stage.selected));
  button.addEventListener("click", () => {
    stage.select(index);
    byId("stage").focus();
  });
  const item = make("li");
  item.append(button);
  return item;
}

export function showCounts() {
  for (const option of byId("filter").options) {
    option.textContent = `${FILTER_NAMES[option.value]} (${desk.counts[option.value]})`;
  }
}

export function showPace({ seconds_median, actions_suggested, actions_unsuggested }) {
  const parts = seconds_median === null ? [] : [`${seconds_median.toFixed(1)} s per image (median)`];
  const each = [];
  if (actions_suggested !== null) each.push(`${actions_suggested.toFixed(1)} with a suggestion`);
  if (actions_unsuggested !== null) each.push(`${actions_unsuggested.toFixed(1)} without`);
  if (each.length) parts.push(`actions per image: ${each.join(", ")}`);
  byId("pace").replaceChildren(...parts.map((text) => make("div", text)));
}

// What would fill a filter that shows nothing, and a command for it; ALL: how many images there are, with have or has.
const NO_IMAGES = [
  "There are no images here yet. A simulated robot takes some, labelled, without any robot:",
  "vector-tl capture --robot sim --count 50 --data DATA",
];
const NOTHING = {
  unlabelled: [
    "No image is left to label: ALL a label (a simulated robot's images come with theirs). Look through them, or let a model look for labels that it doubts:",
    "vector-tl label suggest --data DATA --model best",
  ],
  suggested: [
    "No image has suggestions that wait for a decision. A model makes them:",
    "vector-tl label suggest --data DATA --model best",
  ],
  disagreement: [
    "No label differs from what a model sees, as far as one has looked. To let one look:",
    "vector-tl label suggest --data DATA --model best",
  ],
  all: ["No images here.", ""],
  bin: ["The bin is empty. X moves an image that is of no use here; it can come back.", ""],
};

function afterwards() {
  return desk.counts.unlabelled ? ["", ""] : ["To go on:", "vector-tl label check --data DATA"];
}

// The queue is empty: `again(filter)` shows another one, the same when no filter is given.
export function showEnd(again) {
  const now = byId("filter").value;
  const { all } = desk.counts;
  const row = make("div");
  const offer = (text, filter) => {
    const button = make("button", text);
    button.addEventListener("click", () => again(filter));
    row.append(button);
  };
  if (desk.skipped) offer(`Show ${plural(desk.skipped, "skipped image")} again`, now);
  for (const [filter, name] of Object.entries(FILTER_NAMES)) {
    if (filter !== now && desk.counts[filter]) offer(`Show ${name} (${desk.counts[filter]})`, filter);
  }
  const [why, command] = desk.done ? afterwards() : !all && now !== "bin" ? NO_IMAGES : NOTHING[now];
  const done = desk.done ? `All done: ${desk.done} decided and saved. ${why}` : why;
  const parts = [make("p", done.replace("ALL", plural(all, "image has", "images have"))), row];
  if (command) parts.splice(1, 0, make("code", command.replaceAll("DATA", desk.folder)));
  byId("end").replaceChildren(...parts);
  byId("end").hidden = false;
}

stage.changed = describe;
