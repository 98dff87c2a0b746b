// Puts a state of the run on the page: image and boxes, figures, latencies, log.
import { drawBoxes } from "./boxes.js";
import { byId, make, plural, setText, svg } from "./dom.js";

const MAX_LINES = 200;
const OLD_MS = 350; // a decision on an older image is late
const TOTAL = "JPEG to command";
const FLAGS = {
  picked_up: "picked up",
  falling: "falling",
  being_held: "being held",
  cliff: "at an edge",
  on_charger: "on its charger",
};
let newest = null; // {news, jpeg}: not drawn yet
let drawing = false;

export function showNews(news, jpeg) {
  showLog(news.log);
  showWho(news);
  showFigures(news);
  showLatencies(news);
  if (jpeg) {
    newest = { news, jpeg };
    if (!drawing) drawImage();
  }
}

export function clearLog() {
  byId("log").replaceChildren();
}

async function drawImage() {
  drawing = true;
  while (newest) {
    const { news, jpeg } = newest;
    newest = null;
    try {
      const image = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
      const canvas = byId("camera");
      if (canvas.width !== image.width || canvas.height !== image.height) {
        [canvas.width, canvas.height] = [image.width, image.height];
      }
      canvas.getContext("2d").drawImage(image, 0, 0);
      image.close();
    } catch {
      // a damaged image: its boxes are shown over the one before
    }
    const second = { boxes: news.also?.boxes ?? [], className: "second", below: true };
    drawBoxes(byId("boxes"), news.size_wh, { boxes: news.boxes, className: "first" }, second);
    const seen = news.boxes.length ? plural(news.boxes.length, "box", "boxes") : "no Vector seen";
    byId("camera").setAttribute("aria-label", `The robot's camera: ${seen}`);
  }
  drawing = false;
}

function showWho({ about, dry_run, boxes, also, mode, target }) {
  const robot = about.robot === "sim" ? "simulated robot" : "robot";
  const dry = dry_run ? "; dry run: it never moves" : "";
  setText(byId("who"), `${robot} ${about.serial}, steered by ${about.model}${dry}`);
  const count = (some) => plural(some.length, "box", "boxes");
  setText(byId("first"), `${about.model}${boxes ? `: ${count(boxes)}` : ""}`);
  document.querySelector("#legend .second").hidden = !also;
  if (also) {
    const behind = plural(also.behind, "frame");
    setText(
      byId("second"),
      `${also.name}: ${count(also.boxes)}, never steers, ${behind} behind, ${also.ms} ms per frame`,
    );
  }
  setText(byId("mode"), mode ?? "–");
  let seen = "";
  if (target) {
    const side = target.bearing_deg >= 0 ? "left" : "right";
    const bearing = Math.abs(target.bearing_deg).toFixed(0);
    seen = `${target.distance_mm} ± ${target.distance_sigma_mm} mm, ${bearing}° ${side}`;
  } else if (mode) seen = boxes.length ? "seen, not yet sure of it" : "no Vector in sight";
  setText(byId("seen"), seen);
}

function figures(news) {
  const rows = [];
  const row = (name, value, warn = false) => rows.push([name, value, warn]);
  const speeds = (values) => `${values.map((v) => (v > 0 ? "+" : "") + v).join(" / ")} mm/s`;
  if (news.wheels_mmps) {
    row("wheels, left / right", speeds(news.wheels_mmps));
    row("wanted", speeds(news.wanted_mmps) + (news.dry_run ? " (dry run)" : ""));
    const held =
      !news.sent && !news.dry_run && news.run === "running" && news.wanted_mmps.some((v) => v !== 0);
    if (held) row("held by the guard", news.stops.at(-1)?.reason ?? "not ready", true);
    row("free space ahead", news.range_mm === null ? "nothing in reach" : `${news.range_mm} mm`);
    row("head, heading", `${news.head_deg}°, ${news.heading_deg}°`);
    const flags = news.flags.map((flag) => FLAGS[flag]);
    row(
      "state",
      flags.join(", ") || "on its treads",
      flags.some((flag) => flag !== FLAGS.on_charger),
    );
  }
  const { battery } = news;
  const charge = battery && `${battery.volts} V, ${battery.level}${battery.charging ? ", charging" : ""}`;
  row("battery", charge ?? "not known", battery?.level === "low");
  row("frame rate", news.fps === null ? "–" : `${news.fps} frames/s`);
  if (news.frame_age_ms !== undefined) {
    row("frame age", `${Math.max(0, news.frame_age_ms)} ms`, news.frame_age_ms > OLD_MS);
    row("state age", `${Math.max(0, news.state_age_ms)} ms`);
    row("link delay", `${news.link_delay_ms} ms`);
  }
  row("dropped, late frames", `${news.dropped}, ${news.stale}`);
  row("last stop by the guard", news.stops.at(-1)?.reason ?? "none");
  return rows;
}

function showFigures(news) {
  const rows = figures(news);
  const list = byId("figures");
  while (list.children.length > 2 * rows.length) list.lastChild.remove();
  rows.forEach(([name, value, warn], index) => {
    if (!list.children[2 * index]) list.append(make("dt"), make("dd"));
    setText(list.children[2 * index], name);
    setText(list.children[2 * index + 1], value);
    list.children[2 * index + 1].classList.toggle("warn", warn);
  });
}

function showLatencies({ stages_ms, latency_ms }) {
  const key = JSON.stringify([stages_ms, latency_ms]);
  if (byId("stages").dataset.key === key) return;
  byId("stages").dataset.key = key;
  const stages = Object.entries(stages_ms ?? {}).filter(([, laps]) => laps.p50 !== null);
  const longest = Math.max(1, ...stages.filter(([name]) => name !== "wait").map(([, laps]) => laps.p95));
  const rows = stages.map(([name, laps]) => latencyRow(name, laps, name === "wait" ? 0 : longest));
  if (latency_ms?.p50 != null) rows.push(latencyRow(TOTAL, latency_ms, 0));
  byId("stages").replaceChildren(...rows);
}

// A row of the table, with a bar where there is a longest lap to compare with.
function latencyRow(name, laps, longest) {
  const row = make("tr", "", name === TOTAL ? "total" : "");
  const head = Object.assign(make("th", name), { scope: "row" });
  const cell = make("td");
  if (longest) {
    const bars = [laps.p95, laps.p50].map((ms) => svg("rect", { width: (100 * ms) / longest, height: 8 }));
    cell.append(svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none" }, ...bars));
  }
  row.append(head, make("td", laps.p50.toFixed(1)), make("td", laps.p95.toFixed(1)), cell);
  return row;
}

function showLog(lines) {
  if (!lines.length) return;
  const items = lines.map(([t_s, line]) => {
    const item = make("li");
    item.append(make("time", `${t_s.toFixed(2)} s`), make("span", line));
    return item;
  });
  byId("log").prepend(...items.reverse());
  while (byId("log").children.length > MAX_LINES) byId("log").lastChild.remove();
}
