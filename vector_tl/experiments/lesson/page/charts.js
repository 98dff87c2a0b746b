// Two charts that follow the sliders: AP50 over images seen, and recall and precision over the threshold.
import { svg } from "../../../web/page/dom.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [520, 300, 40, 10, 12, 44];
const TICKS_SEEN = [0, 160, 1000, 5000, 40000];
const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

const across = (share) => LEFT + share * (WIDTH - LEFT - RIGHT);
const up = (share) => HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
const dots = (points) => points.map(([x, y]) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ");

function axes(ticks, label, cursor, locale) {
  const lines = QUARTERS.flatMap((y) => [
    svg("line", { class: "grid", x1: across(0), x2: across(1), y1: up(y), y2: up(y) }),
    svg("text", { x: LEFT - 6, y: up(y) + 4, "text-anchor": "end" }, y.toLocaleString(locale)),
  ]);
  const below = ticks.map(([x, text]) => {
    const anchor = x > 0.97 && text.length > 3 ? "end" : "middle"; // a long number stays within the chart
    return svg("text", { x: across(x), y: HEIGHT - BOTTOM + 17, "text-anchor": anchor }, text);
  });
  const line = { class: "cursor", x1: across(cursor), x2: across(cursor), y1: up(0), y2: up(1) };
  const name = { x: across(0.5), y: HEIGHT - 6, "text-anchor": "middle" };
  return [...lines, ...below, svg("text", name, label), svg("line", line)];
}

function put(place, name, parts) {
  const drawing = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": name };
  place.replaceChildren(svg("svg", drawing, ...parts));
}

// Learning curves of trainings with so many images: lines and bands of the comparison, dots of the lesson's.
export function drawCurves(place, { curves, trainings, seen, words, locale }) {
  const most = Math.max(...trainings.flatMap((t) => t.points.map((p) => p.images_seen)), 1000);
  const share = (n) => Math.log1p(n / 100) / Math.log1p(most / 100);
  const ticks = TICKS_SEEN.filter((n) => n <= most).map((n) => [share(n), n.toLocaleString(locale)]);
  const inside = (curve, values) =>
    curve.images_seen.map((n, i) => [share(n), values[i]]).filter(([x]) => x <= 1);
  const parts = curves.flatMap((curve) => [
    svg("polygon", {
      class: curve.arm,
      points: dots([...inside(curve, curve.low), ...inside(curve, curve.high).reverse()]),
    }),
    svg("polyline", { class: curve.arm, points: dots(inside(curve, curve.mean)) }),
  ]);
  for (const { arm, points } of trainings) {
    const place = (point) => [share(point.images_seen), point.ap50 ?? 0];
    const own = points.filter((point) => !point.model); // a shipped model is of another training
    parts.push(svg("polyline", { class: `fine dashed ${arm}`, points: dots(own.map(place)) }));
    for (const point of points) {
      const [x, y] = place(point);
      const r = point.images_seen === seen ? 8 : 4;
      parts.push(svg("circle", { class: `fill ${arm}`, cx: across(x), cy: up(y), r }));
    }
  }
  put(place, `${words.curve_title}: ${words.curve_y}`, [
    ...axes(ticks, words.curve_x, share(seen), locale),
    ...parts,
  ]);
}

// Recall (solid) and precision (dashed) of both twins over the threshold.
export function drawTrade(place, { thresholds, twins, vectors, at, words, locale }) {
  const parts = twins.flatMap(({ arm, point }) => {
    const recall = thresholds.map((x, i) => [x, point.found[i] / vectors]);
    const precision = thresholds
      .map((x, i) => [x, point.found[i] / (point.found[i] + point.false_alarms[i])])
      .filter(([, y]) => Number.isFinite(y));
    return [
      svg("polyline", { class: arm, points: dots(recall) }),
      svg("polyline", { class: `dashed ${arm}`, points: dots(precision) }),
    ];
  });
  const ticks = QUARTERS.map((x) => [x, x.toLocaleString(locale)]);
  put(place, words.threshold_title, [...axes(ticks, words.threshold_x, thresholds[at], locale), ...parts]);
}
