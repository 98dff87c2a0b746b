// The queue of images and the decisions on them.
"use strict";

const IDLE_S = 10; // a pause longer than this counts as so much
const FILTER_NAMES = { unlabelled: "unlabelled", suggested: "with suggestions", disagreement: "model and label disagree", all: "all", bin: "in the bin" };
const $ = (id) => document.getElementById(id);
const tab = sessionStorage.tab ??= crypto.randomUUID();

const desk = {
  queue: [], at: 0, done: 0, skipped: 0, counts: {}, carryFrames: 0,
  image: null, // as the server gave it
  source: "", // where the boxes shown come from: "label", a suggestion's id, or "" for nothing
  trail: [], // what undo would take back, newest last: "decision", or the key of a skipped image
  busy: false,
  retry: null, // what to do again once the server answers
};
const stage = new BoxStage($("canvas"), () => describe());
const effort = { active_s: 0, keys: 0, clicks: 0, drags: 0, last: 0 };

// ---- the server

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw Object.assign(new Error("The server does not answer. Start vector-tl label review again; if it prints a new address, open that one."), { status: 0 });
  }
  const answer = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

const query = (values) => "?" + new URLSearchParams(values);
const keyOf = (image) => ({ session: image.session, name: image.name });
const same = (a, b) => a && b && a.session === b.session && a.name === b.name;

// One thing at a time: keys pressed meanwhile are not for the next image, which nobody has seen yet.
async function alone(work) {
  if (desk.busy) return;
  desk.busy = true;
  try {
    await work();
    $("trouble").hidden = true;
    desk.retry = null;
  } catch (error) {
    if (error.status === undefined) console.error(error);
    if (error.status === 409 && desk.image) {
      const mine = stage.dirty ? stage.boxes : [];
      await show(true).catch(() => {});
      if (mine.length && desk.image) keepMine(mine);
      say(error.message);
    } else if (error.status === 400) say(error.message);
    else {
      desk.retry = work;
      $("trouble").hidden = false;
      $("trouble").firstElementChild.textContent = error.message + " What you see here is not saved yet.";
    }
  } finally {
    desk.busy = false;
  }
}

// ---- the queue

async function loadQueue() {
  const [filter, session] = [$("filter").value, $("session").value];
  history.replaceState(null, "", "#" + new URLSearchParams({ filter, session, order: $("order").value }));
  const answer = await ask("queue" + query({ filter, session }));
  desk.queue = answer.images;
  if ($("order").value === "name") desk.queue.sort((a, b) => (a.session + "/" + a.name < b.session + "/" + b.name ? -1 : 1));
  desk.at = desk.done = desk.skipped = 0;
  desk.counts = answer.counts;
  countFilters();
  fillSessions(answer.sessions, session);
  showPace(answer.pace);
  await show();
}

function fillSessions(sessions, chosen) {
  $("session").replaceChildren(new Option("all sessions", ""), ...sessions.map((name) => new Option(name, name)));
  $("session").value = sessions.includes(chosen) ? chosen : "";
}

function outdated(image) {
  const filter = $("filter").value;
  if (filter === "bin") return !image.binned;
  if (image.binned) return true;
  if (filter === "unlabelled") return image.labelled && !image.problem;
  if (filter === "suggested") return image.labelled || image.suggestions.every((s) => s.decided);
  return false;
}

// Show the image the queue stands at; those that somebody has decided on in the meantime drop out.
async function show(even = false) {
  while (desk.at < desk.queue.length) {
    const key = keyOf(desk.queue[desk.at]);
    let image, bitmap = null;
    try {
      image = await ask("item" + query(key));
      if (!even && outdated(image)) {
        desk.queue.splice(desk.at, 1);
        continue;
      }
      bitmap = image.size_wh && await loadBitmap(key, image.size_wh);
    } catch (error) {
      if (error.status !== 404 || !error.message.startsWith("There is no image")) throw error;
      desk.queue.splice(desk.at, 1);
      continue;
    }
    $("end").hidden = true;
    desk.image = image;
    stage.show(bitmap, image.size_wh ?? [1, 1]);
    takeBoxes(sources()[0] ?? "");
    Object.assign(effort, { active_s: 0, keys: 0, clicks: 0, drags: 0, last: performance.now() });
    prefetch();
    return;
  }
  desk.image = null;
  stage.clear();
  stage.draw();
  describe();
  desk.counts = (await ask("queue" + query({ filter: $("filter").value, session: $("session").value }))).counts; // other tabs are at work too
  countFilters();
  showEnd();
}

function countFilters() {
  for (const option of $("filter").options) option.textContent = `${FILTER_NAMES[option.value]} (${desk.counts[option.value]})`;
}

const bitmaps = new Map(); // address -> promise of a bitmap, for the image shown and the next one

function loadBitmap(key, size) {
  const wanted = $("stage").clientWidth * (window.devicePixelRatio || 1) * Math.max(stage.zoomed, 1);
  const width = Math.min(4096, 320 * 2 ** Math.max(0, Math.ceil(Math.log2(wanted / 320)))); // in steps, so that what was fetched ahead fits
  const address = "image" + query({ ...key, width: Math.max(64, width) });
  if (!bitmaps.has(address)) {
    bitmaps.set(address, fetch(address).then(async (response) => {
      if (!response.ok) throw new Error("no image");
      return createImageBitmap(await response.blob());
    }).catch(() => { bitmaps.delete(address); return null; }));
    if (bitmaps.size > 6) bitmaps.delete(bitmaps.keys().next().value);
  }
  return bitmaps.get(address);
}

function prefetch() {
  const next = desk.queue[desk.at + 1];
  if (next) loadBitmap(keyOf(next));
}

// More of a large image once one looks closer.
async function sharpen() {
  const image = desk.image;
  if (!image?.size_wh || !stage.bitmap || stage.bitmap.width >= image.size_wh[0]) return;
  const bitmap = await loadBitmap(keyOf(image), image.size_wh);
  if (bitmap && desk.image === image && bitmap.width > stage.bitmap.width) {
    stage.bitmap = bitmap;
    stage.draw();
  }
}

// ---- boxes from the label or from a suggestion

const WEAK = " with weak ones"; // after a suggestion's id: its weak boxes too

function sources() {
  const { image } = desk;
  const surest = image.suggestions.toSorted((a, b) => a.doubt - b.doubt);
  const waiting = surest.filter((s) => !s.decided), decided = surest.filter((s) => s.decided);
  const each = (suggestions) => suggestions.flatMap((s) => (s.weak.length ? [s.id, s.id + WEAK] : [s.id]));
  return [...(image.labelled ? ["label"] : []), ...each(waiting), ...(image.labelled ? each(decided) : [])];
}

const suggestionOf = (source) => desk.image.suggestions.find((s) => s.id === source.replace(WEAK, ""));

function takeBoxes(source) {
  const { image } = desk;
  desk.source = source;
  const suggestion = suggestionOf(source);
  const other = source === "label" ? image.suggestions.findLast((s) => !s.decided) : null;
  const weak = source.endsWith(WEAK), ghosts = other ? other.boxes : suggestion && !weak ? suggestion.weak : [];
  const boxes = suggestion ? [...suggestion.boxes, ...(weak ? suggestion.weak : [])] : source === "label" ? image.boxes.map((xyxy) => ({ xyxy })) : [];
  stage.load(boxes, ghosts.map((box) => ({ xyxy: box.xyxy, tag: `${(other ?? suggestion).by} ${box.score?.toFixed(2) ?? ""}` })));
}

// What was drawn here and met with another tab's decision stays at hand, as other boxes.
function keepMine(boxes) {
  desk.image.suggestions.push({ id: "mine", source: "mine", by: "yours", decided: false, doubt: 0, boxes, weak: [] });
  takeBoxes(sources()[0]);
}

function nameOf(source) {
  if (source === "label") return "the label";
  const suggestion = suggestionOf(source);
  if (!suggestion) return "";
  if (source === "mine") return "as you had drawn them";
  return (suggestion.source === "model" ? `by model ${suggestion.by}` : `carried from ${suggestion.by}`) + (source.endsWith(WEAK) ? WEAK : "");
}

// ---- decisions

async function decide(action) {
  const { image } = desk;
  if (!image) return;
  let boxes = null;
  if (action === "none") stage.removeAll();
  if (action === "none" || action === "accept") {
    if (action === "accept" && !stage.boxes.length && !stage.dirty && !desk.source) {
      say("Draw a box around the Vector, or press N if there is none.");
      return;
    }
    if (desk.source === "label" && !stage.dirty && !image.problem) action = "keep";
    else {
      action = "save";
      boxes = stage.boxes.map((box) => box.xyxy);
    }
  }
  tick();
  const { active_s, keys, clicks, drags } = effort;
  const answer = await ask("decide", { ...keyOf(image), version: image.version, action, boxes, tab, effort: { active_s, keys, clicks, drags } });
  desk.trail.push("decision");
  desk.done += 1;
  showPace(answer.pace);
  desk.queue.splice(desk.at, 1);
  return true;
}

const acts = {
  accept: () => alone(async () => { if (await decide("accept")) await show(); }),
  none: () => alone(async () => { if (await decide("none")) await show(); }),
  bin: () => alone(async () => { if (await decide(desk.image?.binned ? "restore" : "bin")) await show(); }),
  carry: () => alone(async () => {
    const from = desk.image && keyOf(desk.image);
    if (!from || !stage.boxes.length) { say("Draw a box first; then it can be carried on."); return; }
    if (!await decide("accept")) return;
    say("Carrying on…");
    const { carried, frames } = await ask("carry", from);
    const rest = desk.queue.filter((entry) => !carried.some((other) => same(entry, other)));
    desk.at = Math.min(desk.at, rest.length);
    rest.splice(desk.at, 0, ...carried);
    desk.queue = rest;
    await show(true);
    const sure = carried.map((entry) => entry.confidence.toFixed(2));
    say(!frames ? "There is no unlabelled frame after this one." : !carried.length ? "The next frame differs too much to carry the boxes on."
      : `Carried to ${carried.length} of the next ${frames} frames; sure ${sure[0]}${carried.length > 1 ? " to " + sure.at(-1) : ""}.`);
  }),
  skip: () => alone(async () => {
    if (!desk.image) return;
    desk.trail.push(keyOf(desk.image));
    desk.at += 1;
    desk.skipped += 1;
    await show();
  }),
  back: () => alone(async () => {
    if (!desk.at) { say("This is the first one."); return; }
    desk.at -= 1;
    await show(true);
  }),
  undo: () => { if (!stage.revert()) alone(takeBack); },
  redraw: () => { if (desk.image) { stage.removeAll(); say("Drag a box around each Vector."); } },
  other: () => {
    if (!desk.image) return;
    const all = sources();
    if (all.length < 2) { say(all.length ? "There are no other boxes for this image." : "Nothing is suggested for this image."); return; }
    takeBoxes(all[(all.indexOf(desk.source) + 1) % all.length]);
    say(`Boxes: ${nameOf(desk.source)}`);
  },
  help: () => { if ($("help").open) $("help").close(); else $("help").showModal(); },
  retry: () => { const again = desk.retry; if (again) alone(again); else location.reload(); },
};

async function takeBack() {
  const last = desk.trail.at(-1);
  if (last && last !== "decision") {
    const index = desk.queue.findIndex((entry) => same(entry, last));
    desk.trail.pop();
    if (index >= 0) {
      desk.at = index;
      desk.skipped = Math.max(desk.skipped - 1, 0);
      await show(true);
      return;
    }
  }
  const answer = await ask("undo", { tab });
  desk.trail.pop();
  desk.done = Math.max(desk.done - 1, 0);
  showPace(answer.pace);
  desk.queue = desk.queue.filter((entry, index) => !(same(entry, answer) && (index < desk.at ? (desk.at -= 1, true) : true)));
  desk.queue.splice(desk.at, 0, keyOf(answer));
  await show(true);
  say(`Undone: ${answer.name} is as it was before.`);
}

// ---- words on the page

function describe() {
  const { image } = desk;
  $("progress").textContent = desk.queue.length || desk.done ? `${desk.done} done, ${Math.max(desk.queue.length - desk.at, 0)} to go` : "";
  for (const button of document.querySelectorAll("#acts button")) button.disabled = !image && button.dataset.act !== "undo";
  if (!image) {
    $("about").replaceChildren();
    $("boxes").replaceChildren();
    $("accept-text").textContent = "Accept";
    return;
  }
  const state = image.binned ? "in the bin" : image.labelled ? (image.boxes.length ? "labelled" : "labelled: no Vector") : "not labelled yet";
  const lines = [["h2", image.name], ["p", `${image.session} · ${image.size_wh?.join(" × ") ?? "?"}`], ["p", state]];
  if (stage.dirty) lines.push(["p", "Boxes changed, not saved yet", "warn"]);
  else if (desk.source && desk.source !== "label") lines.push(["p", `${desk.source === "mine" ? "Boxes" : "Suggested"} ${nameOf(desk.source)}${stage.boxes.length ? "" : ": no Vector"}`, "warn"]);
  if (image.problem) lines.push(["p", image.problem, "warn"]);
  $("about").replaceChildren(...lines.map(([tag, text, kind]) => Object.assign(document.createElement(tag), { textContent: text, className: kind ?? "" })));
  $("boxes").replaceChildren(...stage.boxes.map((box, index) => {
    const [x1, y1, x2, y2] = box.xyxy, item = document.createElement("li"), button = document.createElement("button");
    button.textContent = `${index + 1}: ${Math.round(x2 - x1)} × ${Math.round(y2 - y1)} at ${Math.round(x1)}, ${Math.round(y1)}${box.score === undefined ? "" : " · " + box.score.toFixed(2)}`;
    button.setAttribute("aria-pressed", String(index === stage.selected));
    button.addEventListener("click", () => { stage.select(index); $("stage").focus(); });
    item.append(button);
    return item;
  }));
  $("accept-text").textContent = desk.source === "label" && !stage.dirty ? "Keep label" : stage.boxes.length ? "Accept" : desk.source || stage.dirty ? "Accept: no Vector" : "Accept";
  $("bin-text").textContent = image.binned ? "Restore" : "To the bin";
  for (const act of ["accept", "none", "redraw", "carry", "other"]) document.querySelector(`#acts [data-act=${act}]`).disabled = image.binned;
  document.querySelector("#acts [data-act=other]").disabled ||= sources().length < 2;
}

function showPace(pace) {
  const { seconds_median: seconds, actions_suggested: suggested, actions_unsuggested: unsuggested } = pace;
  const parts = seconds === null ? [] : [`${seconds.toFixed(1)} s an image (median)`];
  const each = [[suggested, "with suggestion"], [unsuggested, "without"]].filter(([count]) => count !== null);
  if (each.length) parts.push(`actions an image: ${each.map(([count, name]) => `${count.toFixed(1)} ${name}`).join(", ")}`);
  $("pace").replaceChildren(...parts.map((text) => Object.assign(document.createElement("div"), { textContent: text })));
}

function showEnd() {
  const again = (label, work) => { const button = document.createElement("button"); button.textContent = label; button.addEventListener("click", work); return button; };
  const line = (text) => Object.assign(document.createElement("p"), { textContent: text });
  const row = document.createElement("div");
  if (desk.skipped) row.append(again(`Go through the ${desk.skipped} skipped`, () => alone(loadQueue)));
  for (const [filter, name] of Object.entries(FILTER_NAMES)) {
    const count = desk.counts[filter];
    if (filter !== $("filter").value && count) row.append(again(`${count} ${name}`, () => { $("filter").value = filter; alone(loadQueue); }));
  }
  const now = FILTER_NAMES[$("filter").value];
  $("end").replaceChildren(line(desk.done ? `All done: ${desk.done} decided, every one of them saved.` : `There is nothing here (${now}).`), row);
  $("end").hidden = false;
}

let hush;
function say(text) {
  $("message").textContent = text;
  $("message").classList.add("shown");
  clearTimeout(hush);
  hush = setTimeout(() => $("message").classList.remove("shown"), 1500 + 50 * text.length);
}
