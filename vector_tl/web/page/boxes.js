// Bounding boxes over a camera image: an <svg> that lies over it.
import { svg } from "./dom.js";

const LABEL_PX = 13; // on the screen

// Boxes are {xyxy, score?} in pixels of the image; scores are written above, or with `below` under the boxes.
export function drawBoxes(overlay, [width, height], ...groups) {
  overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const size = (LABEL_PX * width) / (overlay.clientWidth || width);
  overlay.replaceChildren(
    ...groups.map(({ boxes, className, below }) =>
      svg("g", { class: className ?? "" }, ...boxes.flatMap((box) => parts(box, size, height, below))),
    ),
  );
}

function parts({ xyxy: [x1, y1, x2, y2], score }, size, height, below) {
  const rect = svg("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1 });
  if (score === undefined) return [rect];
  const [above, under] = [y1 - 0.4 * size, y2 + 1.1 * size];
  const place = below
    ? { x: x2, y: under < height - 0.3 * size ? under : y2 - 0.4 * size, "text-anchor": "end" }
    : { x: x1, y: above > size ? above : y1 + 1.1 * size };
  return [rect, svg("text", { ...place, "font-size": size }, score.toFixed(2))];
}
