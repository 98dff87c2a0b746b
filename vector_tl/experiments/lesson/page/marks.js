// What a twin sees in an image: boxes that found a Vector, false alarms, and Vectors that were missed.
// A mark is known by its shape, not by its colour alone.
import { svg } from "../../../web/page/dom.js";

const [WIDTH, HEIGHT] = [640, 360];

// Boxes [x1, y1, x2, y2, score in thousandths, Vector or -1] from a threshold on, and the Vectors' own boxes.
export function judge(boxes, vectors, threshold) {
  const shown = boxes.filter((box) => box[4] >= Math.round(1000 * threshold));
  const hit = new Set(shown.map((box) => box[5]));
  return {
    found: shown.filter((box) => box[5] >= 0),
    alarms: shown.filter((box) => box[5] < 0),
    missed: vectors.filter((_, number) => !hit.has(number)),
  };
}

export function drawMarks(overlay, { found, alarms, missed }, size = [WIDTH, HEIGHT]) {
  overlay.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  const text = (16 * size[0]) / (overlay.clientWidth || size[0]);
  overlay.replaceChildren(
    ...missed.flatMap((box) => outlined("missed", box)),
    ...alarms.flatMap((box) => [...outlined("alarm", box), cross(box), score(box, text)]),
    ...found.flatMap((box) => [...outlined("found", box), score(box, text)]),
  );
}

function outlined(className, [x1, y1, x2, y2]) {
  const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  return [svg("rect", { class: "under", ...place }), svg("rect", { class: className, ...place })];
}

function cross([x1, y1, x2, y2]) {
  return svg("path", { class: "alarm", d: `M${x1} ${y2}L${x2} ${y1}` });
}

function score([x1, y1, , , thousandths], size) {
  const y = y1 > 1.3 * size ? y1 - 0.35 * size : y1 + 1.1 * size;
  return svg("text", { x: x1 + 2, y, "font-size": size }, `${Math.floor(thousandths / 10)} %`);
}
