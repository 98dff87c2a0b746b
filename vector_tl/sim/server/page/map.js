// The room from above: x ahead is right, y left is up. A Vector is put elsewhere by dragging, or by keys.
import { byId, svg } from "./dom.js";

const TRAIL = 60; // points
const TURN_RAD = Math.PI / 12;
const MOVE_MM = 20;
const DRAG_MM = 5; // less is a click
const MARGIN_MM = 40;
const SHAPE = "M39 0 L20 29 L-58 29 L-58 -29 L20 -29 Z"; // of a Vector seen from above, mm
const VIEW = "M0 0 L260 -260 L260 260 Z"; // what its camera sees
const MOVES = {
  ArrowUp: [0, MOVE_MM, 0],
  ArrowDown: [0, -MOVE_MM, 0],
  ArrowRight: [MOVE_MM, 0, 0],
  ArrowLeft: [-MOVE_MM, 0, 0],
  "+": [0, 0, TURN_RAD],
  "-": [0, 0, -TURN_RAD],
};
const trails = new Map(); // Vector -> points
let vectors = []; // of the newest scene
let dragged = null;
let chosen = 0;

const degrees = (rad) => (rad * 180) / Math.PI;
const pose = ({ x_mm, y_mm, heading_rad }) => `translate(${x_mm} ${-y_mm}) rotate(${-degrees(heading_rad)})`;

export function drawRoom({ room, vectors: all }) {
  const { half_x_mm: x, half_y_mm: y, surface } = room;
  const floor = svg("rect", { class: `floor ${surface}`, x: -x, y: -y, width: 2 * x, height: 2 * y });
  floor.append(
    svg("title", {}, surface === "table" ? "a table: a robot can fall off its edges" : "a floor with walls"),
  );
  const [left, top] = [-x - MARGIN_MM, -y - MARGIN_MM];
  byId("map").setAttribute("viewBox", `${left} ${top} ${-2 * left} ${-2 * top}`);
  const groups = [svg("g", { id: "trails" }), svg("g", { id: "vectors" }, ...all.map(vectorNode))];
  byId("map").replaceChildren(floor, ...room.obstacles.map(obstacleNode), ...groups);
  trails.clear();
  choose(Math.min(chosen, all.length - 1));
}

function obstacleNode(thing) {
  const { half_x_mm: x, half_y_mm: y } = thing;
  const place = { class: "thing", transform: pose(thing) };
  const node = thing.round
    ? svg("circle", { ...place, r: x })
    : svg("rect", { ...place, x: -x, y: -y, width: 2 * x, height: 2 * y });
  node.append(svg("title", {}, thing.kind));
  return node;
}

function vectorNode({ vector, role }) {
  const label = `Vector ${vector}, ${role}`;
  const node = svg("g", { class: `vector ${role}`, tabindex: 0, "aria-label": label });
  if (role === "robot") node.append(svg("path", { class: "sees", d: VIEW }));
  node.append(svg("path", { d: SHAPE }), svg("text", { "font-size": 34 }, String(vector)));
  node.addEventListener("pointerdown", (event) => {
    dragged = vector;
    choose(vector);
    byId("map").setPointerCapture(event.pointerId);
    event.preventDefault();
    node.focus();
  });
  node.addEventListener("focus", () => choose(vector));
  return node;
}

function choose(vector) {
  chosen = vector;
  [...byId("vectors").children].forEach((node, index) => {
    node.classList.toggle("chosen", index === vector);
  });
}

export function drawVectors(all) {
  vectors = all;
  if (dragged !== null) return;
  for (const vector of all) {
    const node = byId("vectors").children[vector.vector];
    if (!node) return;
    node.setAttribute("transform", pose(vector));
    node.querySelector("text").setAttribute("transform", `rotate(${degrees(vector.heading_rad)})`);
    const trail = trails.get(vector.vector) ?? [];
    trail.push(`${vector.x_mm.toFixed(0)},${(-vector.y_mm).toFixed(0)}`);
    trails.set(vector.vector, trail.slice(-TRAIL));
  }
  const lines = [...trails].map(([vector, points]) =>
    svg("polyline", { class: `trail ${all[vector].role}`, points: points.join(" ") }),
  );
  byId("trails").replaceChildren(...lines);
}

function mapPoint(event) {
  const toMap = byId("map").getScreenCTM().inverse();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(toMap);
  return { x_mm: point.x, y_mm: -point.y };
}

// Calls `place({vector, x_mm, y_mm, heading_rad})` when a person moves a Vector.
export function listenToMap(place) {
  const map = byId("map");
  map.addEventListener("pointerup", (event) => {
    if (dragged === null) return;
    const { vector, x_mm, y_mm, heading_rad } = vectors[dragged];
    const to = mapPoint(event);
    dragged = null;
    if (Math.hypot(to.x_mm - x_mm, to.y_mm - y_mm) > DRAG_MM) place({ vector, heading_rad, ...to });
  });
  map.addEventListener("pointercancel", () => {
    dragged = null;
  });
  map.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    const vector = vectors[chosen];
    if (!move || !vector) return;
    event.preventDefault();
    const [x_mm, y_mm, heading_rad] = [
      vector.x_mm + move[0],
      vector.y_mm + move[1],
      vector.heading_rad + move[2],
    ];
    place({ vector: chosen, x_mm, y_mm, heading_rad });
  });
}
