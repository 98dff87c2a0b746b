// The queue of images and the decisions on them.
import { ask } from "./ask.js";
import { byId } from "./dom.js";
import { beginEffort, effort, tick } from "./review_effort.js";
import { loadBitmap, prefetch } from "./review_images.js";
import { desk, keepMine, keyOf, nameOf, query, same, sources, stage, takeBoxes } from "./review_state.js";
import { describe, say, showCounts, showEnd, showPace } from "./review_words.js";

const GONE =
  "The server does not answer. Start vector-tl label review again; if it prints a new address, open that one.";
sessionStorage.tab ??= crypto.randomUUID();
const { tab } = sessionStorage;

// One thing at a time: keys pressed meanwhile are not for the next image, which nobody has seen yet.
export async function alone(work) {
  if (desk.busy) return;
  desk.busy = true;
  try {
    await work();
    byId("trouble").hidden = true;
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
      byId("trouble").hidden = false;
      const why = error.status === 0 ? GONE : error.message;
      byId("trouble").firstElementChild.textContent = `${why} What you see here is not saved yet.`;
    }
  } finally {
    desk.busy = false;
  }
}

// ---- the queue

export async function loadQueue() {
  const [filter, session] = [byId("filter").value, byId("session").value];
  history.replaceState(null, "", `#${new URLSearchParams({ filter, session, order: byId("order").value })}`);
  const answer = await ask(`queue${query({ filter, session })}`);
  desk.queue = answer.images;
  const path = ({ session: folder, name }) => `${folder}/${name}`;
  if (byId("order").value === "name") desk.queue.sort((a, b) => (path(a) < path(b) ? -1 : 1));
  desk.at = desk.done = desk.skipped = 0;
  desk.counts = answer.counts;
  showCounts();
  fillSessions(answer.sessions, session);
  showPace(answer.pace);
  await show();
}

function fillSessions(sessions, chosen) {
  byId("session").replaceChildren(
    new Option("all sessions", ""),
    ...sessions.map((name) => new Option(name, name)),
  );
  byId("session").value = sessions.includes(chosen) ? chosen : "";
}

function outdated(image) {
  const filter = byId("filter").value;
  if (filter === "bin") return !image.binned;
  if (image.binned) return true;
  if (filter === "unlabelled") return image.labelled;
  if (filter === "suggested") return image.labelled || image.suggestions.every((s) => s.decided);
  return false;
}

// Show the image the queue stands at; those that somebody has decided on in the meantime drop out.
async function show(even = false) {
  while (desk.at < desk.queue.length) {
    const key = keyOf(desk.queue[desk.at]);
    let image;
    let bitmap;
    try {
      image = await ask(`item${query(key)}`);
      if (!even && outdated(image)) {
        desk.queue.splice(desk.at, 1);
        continue;
      }
      bitmap = image.size_wh && (await loadBitmap(key));
    } catch (error) {
      if (error.status !== 404 || !error.message.startsWith("There is no image")) throw error;
      desk.queue.splice(desk.at, 1);
      continue;
    }
    byId("end").hidden = true;
    desk.image = image;
    stage.show(bitmap, image.size_wh ?? [1, 1]);
    takeBoxes(sources()[0] ?? "");
    beginEffort();
    prefetch();
    return;
  }
  desk.image = null;
  stage.clear();
  stage.draw();
  describe();
  const { counts } = await ask(
    `queue${query({ filter: byId("filter").value, session: byId("session").value })}`,
  );
  desk.counts = counts; // other tabs are at work too
  showCounts();
  showEnd((filter) => {
    byId("filter").value = filter;
    alone(loadQueue);
  });
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
    if (desk.source === "label" && !stage.dirty) action = "keep";
    else {
      action = "save";
      boxes = stage.boxes.map((box) => box.xyxy);
    }
  }
  tick();
  const { active_s, keys, clicks, drags } = effort;
  const answer = await ask("decide", {
    ...keyOf(image),
    version: image.version,
    action,
    boxes,
    tab,
    effort: { active_s, keys, clicks, drags },
  });
  desk.trail.push("decision");
  desk.done += 1;
  showPace(answer.pace);
  desk.queue.splice(desk.at, 1);
  return true;
}

const decideAndShow = (action) =>
  alone(async () => {
    if (await decide(action)) await show();
  });

export const acts = {
  accept: () => decideAndShow("accept"),
  none: () => decideAndShow("none"),
  bin: () => decideAndShow(desk.image?.binned ? "restore" : "bin"),
  carry: () => alone(acceptAndCarry),
  skip: () =>
    alone(async () => {
      if (!desk.image) return;
      desk.trail.push(keyOf(desk.image));
      desk.at += 1;
      desk.skipped += 1;
      await show();
    }),
  back: () =>
    alone(async () => {
      if (!desk.at) {
        say("This is the first image.");
        return;
      }
      desk.at -= 1;
      await show(true);
    }),
  undo: () => {
    if (!stage.revert()) alone(takeBack);
  },
  redraw: () => {
    if (desk.image) {
      stage.removeAll();
      say("Drag a box around each Vector.");
    }
  },
  other: () => {
    if (!desk.image) return;
    const all = sources();
    if (all.length < 2) {
      say(`There are no ${all.length ? "other " : ""}suggestions for this image.`);
      return;
    }
    takeBoxes(all[(all.indexOf(desk.source) + 1) % all.length]);
    say(`Boxes: ${nameOf(desk.source)}`);
  },
  help: () => {
    if (byId("help").open) byId("help").close();
    else byId("help").showModal();
  },
  retry: () => {
    const again = desk.retry;
    if (again) alone(again);
    else location.reload();
  },
};

// Accepts the boxes and copies them, as suggestions, to the next frames of the session.
async function acceptAndCarry() {
  const from = desk.image && keyOf(desk.image);
  if (!from || !stage.boxes.length) {
    say("Draw a box first; then it can be copied.");
    return;
  }
  if (!(await decide("accept"))) return;
  say("Copying the boxes…");
  const { carried, frames } = await ask("carry", from);
  const rest = desk.queue.filter((entry) => !carried.some((other) => same(entry, other)));
  desk.at = Math.min(desk.at, rest.length);
  rest.splice(desk.at, 0, ...carried);
  desk.queue = rest;
  await show(true);
  say(copied(carried, frames));
}

function copied(carried, frames) {
  if (!frames) return "There is no unlabelled frame after this one.";
  if (!carried.length) return "The next frame differs too much to copy the boxes.";
  const [first, last] = [carried[0], carried.at(-1)].map((entry) => entry.confidence.toFixed(2));
  const confidence = carried.length > 1 ? `${first} to ${last}` : first;
  const next = frames === 1 ? "the next frame" : `${carried.length} of the next ${frames} frames`;
  return `Copied to ${next} as suggestions; confidence ${confidence}.`;
}

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
  const before = desk.queue.slice(0, desk.at).filter((entry) => same(entry, answer)).length;
  desk.queue = desk.queue.filter((entry) => !same(entry, answer));
  desk.at -= before;
  desk.queue.splice(desk.at, 0, keyOf(answer));
  await show(true);
  say(`Undone: ${answer.name} is as it was before.`);
}
