// What is being reviewed: the queue of images, the one on show, its boxes and where they come from.
import { byId } from "./dom.js";
import { BoxStage } from "./review_boxes.js";

const WEAK = " with uncertain boxes"; // after a suggestion's id: its boxes of low confidence too

export const desk = {
  queue: [],
  at: 0,
  done: 0,
  skipped: 0,
  counts: {}, // filter -> images, as the list was loaded
  folder: "", // of the dataset, as a person would type it
  image: null, // as the server gave it
  source: "", // where the boxes shown come from: "label", a suggestion's id, or "" for nothing
  trail: [], // what undo would take back, newest last: "decision", or the key of a skipped image
  busy: false,
  retry: null, // what to do again once the server answers
};
export const stage = new BoxStage(byId("canvas"));

export const query = (values) => `?${new URLSearchParams(values)}`;
export const keyOf = ({ session, name }) => ({ session, name });
export const same = (a, b) => a.session === b.session && a.name === b.name;

// Where boxes can come from, the best first.
export function sources() {
  const { labelled, suggestions } = desk.image;
  const surest = suggestions.toSorted((a, b) => a.doubt - b.doubt);
  const ids = (some) => some.flatMap(({ id, weak }) => (weak.length ? [id, id + WEAK] : [id]));
  const waiting = ids(surest.filter((suggestion) => !suggestion.decided));
  if (!labelled) return waiting;
  return ["label", ...waiting, ...ids(surest.filter((suggestion) => suggestion.decided))];
}

const suggestionOf = (source) => desk.image.suggestions.find(({ id }) => id === source.replace(WEAK, ""));

// Puts the boxes of a source on the stage, and others beside them that cannot be changed.
export function takeBoxes(source) {
  desk.source = source;
  const [boxes, by, others] = boxesOf(source);
  const tag = (box) => `${by} ${box.score?.toFixed(2) ?? ""}`;
  stage.load(
    boxes,
    others.map((box) => ({ xyxy: box.xyxy, tag: tag(box) })),
  );
}

function boxesOf(source) {
  if (source === "label") {
    const other = desk.image.suggestions.findLast((suggestion) => !suggestion.decided);
    return [desk.image.boxes.map((xyxy) => ({ xyxy })), other?.by, other?.boxes ?? []];
  }
  const suggestion = suggestionOf(source);
  if (!suggestion) return [[], "", []];
  const { boxes, weak, by } = suggestion;
  return source.endsWith(WEAK) ? [[...boxes, ...weak], by, []] : [boxes, by, weak];
}

// What was drawn here, when another tab has decided meanwhile, stays at hand as another suggestion.
export function keepMine(boxes) {
  const mine = { id: "mine", source: "mine", by: "yours", decided: false, doubt: 0, boxes, weak: [] };
  desk.image.suggestions.push(mine);
  takeBoxes(sources()[0]);
}

export function nameOf(source) {
  if (source === "label") return "the label";
  const suggestion = suggestionOf(source);
  if (!suggestion) return "";
  if (source === "mine") return "as you drew them";
  const from = suggestion.source === "model" ? "by model" : "copied from";
  return `${from} ${suggestion.by}${source.endsWith(WEAK) ? WEAK : ""}`;
}
