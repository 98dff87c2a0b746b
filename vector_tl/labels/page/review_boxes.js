// The image with its boxes: drawing, dragging, zoom. Knows nothing of the server.

const HANDLES = [
  [0, 0],
  [0.5, 0],
  [1, 0],
  [1, 0.5],
  [1, 1],
  [0.5, 1],
  [0, 1],
  [0, 0.5],
];
const CURSORS = [
  "nwse-resize",
  "ns-resize",
  "nesw-resize",
  "ew-resize",
  "nwse-resize",
  "ns-resize",
  "nesw-resize",
  "ew-resize",
];
const MIN_PX = 3; // of the image: a box is at least so wide and high

export class BoxStage {
  constructor(canvas) {
    this.canvas = canvas;
    this.changed = () => {}; // called after the boxes or the selection changed
    this.context = canvas.getContext("2d");
    this.clear();
    this.panning = false; // while Space is held
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => {
      this.drag = null;
      this.draw();
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), this.at(event));
      },
      { passive: false },
    );
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  clear() {
    Object.assign(this, {
      bitmap: null,
      size: [1, 1],
      boxes: [],
      ghosts: [],
      selected: -1,
      history: [],
      drag: null,
      zoomed: 1,
      shift: [0, 0],
    });
  }

  show(bitmap, size) {
    this.clear();
    this.bitmap = bitmap;
    this.size = size;
    this.draw();
  }

  // Boxes are {xyxy, score?}; `revert` brings them back as they are now.
  load(boxes, ghosts = []) {
    this.boxes = boxes.map((box) => ({ ...box, xyxy: [...box.xyxy] }));
    this.ghosts = ghosts;
    this.selected = this.boxes.length ? 0 : -1;
    this.history = [];
    this.draw();
    this.changed();
  }

  get dirty() {
    return this.history.length > 0;
  }

  remember(kind) {
    const now = { boxes: structuredClone(this.boxes), selected: this.selected, kind };
    const last = this.history.at(-1);
    if (!(kind === "nudge" && last?.kind === "nudge" && last.selected === this.selected))
      this.history.push(now); // many nudges are one change
  }

  revert(all = false) {
    if (!this.history.length) return false;
    const to = all ? this.history[0] : this.history.pop();
    if (all) this.history = [];
    this.boxes = to.boxes;
    this.selected = to.selected;
    this.draw();
    this.changed();
    return true;
  }

  change(kind, work) {
    this.remember(kind);
    work();
    this.draw();
    this.changed();
  }

  select(index) {
    this.selected = index;
    this.draw();
    this.changed();
  }

  remove() {
    if (this.selected < 0) return;
    this.change("remove", () => {
      this.boxes.splice(this.selected, 1);
      this.selected = Math.min(this.selected, this.boxes.length - 1);
    });
  }

  removeAll() {
    if (this.boxes.length)
      this.change("remove", () => {
        this.boxes = [];
        this.selected = -1;
      });
  }

  addInMiddle() {
    const [w, h] = this.size;
    this.change("add", () => {
      this.selected = this.boxes.push({ xyxy: [w * 0.375, h * 0.35, w * 0.625, h * 0.65] }) - 1;
    });
  }

  // corner: "both" moves the box, "last" its lower right corner, "first" its upper left one
  nudge(dx, dy, corner) {
    if (this.selected < 0) return;
    this.change("nudge", () => {
      const box = this.boxes[this.selected],
        [x1, y1, x2, y2] = box.xyxy;
      if (corner === "both") box.xyxy = this.kept(x1 + dx, y1 + dy, x2 - x1, y2 - y1);
      else
        box.xyxy = this.clipped(
          corner === "first"
            ? [Math.min(x1 + dx, x2 - MIN_PX), Math.min(y1 + dy, y2 - MIN_PX), x2, y2]
            : [x1, y1, Math.max(x2 + dx, x1 + MIN_PX), Math.max(y2 + dy, y1 + MIN_PX)],
        );
    });
  }

  kept(x, y, w, h) {
    x = Math.min(Math.max(x, 0), this.size[0] - w);
    y = Math.min(Math.max(y, 0), this.size[1] - h);
    return [x, y, x + w, y + h];
  }

  clipped([x1, y1, x2, y2]) {
    const [w, h] = this.size,
      within = (v, highest) => Math.min(Math.max(v, 0), highest);
    return [
      within(Math.min(x1, x2), w),
      within(Math.min(y1, y2), h),
      within(Math.max(x1, x2), w),
      within(Math.max(y1, y2), h),
    ];
  }

  // ---- view: image pixels <-> css pixels of the canvas

  get view() {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const scale = Math.min((w - 16) / this.size[0], (h - 16) / this.size[1]) * this.zoomed;
    return {
      scale,
      x: (w - this.size[0] * scale) / 2 + this.shift[0],
      y: (h - this.size[1] * scale) / 2 + this.shift[1],
    };
  }

  at(event) {
    const rect = this.canvas.getBoundingClientRect();
    return [event.clientX - rect.left, event.clientY - rect.top];
  }

  toImage([x, y]) {
    const view = this.view;
    return [(x - view.x) / view.scale, (y - view.y) / view.scale];
  }

  // The selected box's middle, or the canvas's, as a place to zoom at
  get focus() {
    const box = this.boxes[this.selected],
      view = this.view;
    return box
      ? [
          view.x + ((box.xyxy[0] + box.xyxy[2]) / 2) * view.scale,
          view.y + ((box.xyxy[1] + box.xyxy[3]) / 2) * view.scale,
        ]
      : [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
  }

  zoom(factor, at = this.focus) {
    const fixed = this.toImage(at);
    this.zoomed = Math.min(Math.max(this.zoomed * factor, 1), 16);
    if (this.zoomed === 1) this.shift = [0, 0];
    else {
      const view = this.view;
      this.shift = [
        this.shift[0] + at[0] - view.x - fixed[0] * view.scale,
        this.shift[1] + at[1] - view.y - fixed[1] * view.scale,
      ];
    }
    this.draw();
    this.changed();
  }

  resetZoom() {
    this.zoom(0);
  }

  // ---- mouse, pen, finger

  // What lies under a point: {handle}, {box} or {}
  under(point, coarse) {
    const view = this.view,
      reach = coarse ? 18 : 9;
    const [px, py] = point;
    const place = (box) => [
      box.xyxy[0] * view.scale + view.x,
      box.xyxy[1] * view.scale + view.y,
      box.xyxy[2] * view.scale + view.x,
      box.xyxy[3] * view.scale + view.y,
    ];
    const order = [...this.boxes.keys()].sort((a, b) => (b === this.selected) - (a === this.selected));
    for (const index of order) {
      const [x1, y1, x2, y2] = place(this.boxes[index]);
      const margin = Math.min(reach, Math.max(3, Math.min(x2 - x1, y2 - y1) / 4)); // inside a small box there is room to take hold of it
      if (px < x1 - reach || px > x2 + reach || py < y1 - reach || py > y2 + reach) continue;
      const near = (value, low, high) => (value <= low + margin ? 0 : value >= high - margin ? 1 : 0.5);
      const [hx, hy] = [near(px, x1, x2), near(py, y1, y2)];
      const handle = HANDLES.findIndex(([x, y]) => x === hx && y === hy);
      if (handle >= 0) return { index, handle };
    }
    const inside = order.filter((i) => {
      const [x1, y1, x2, y2] = place(this.boxes[i]);
      return px > x1 && px < x2 && py > y1 && py < y2;
    });
    return inside.length ? { index: inside[0] } : {};
  }

  press(event) {
    if (!this.bitmap || this.drag) return;
    const point = this.at(event);
    this.canvas.setPointerCapture(event.pointerId);
    if (event.button === 1 || this.panning) {
      event.preventDefault();
      this.drag = { kind: "pan", from: point, shift: [...this.shift] };
      return;
    }
    if (event.button !== 0) return;
    const under = event.shiftKey ? {} : this.under(point, event.pointerType === "touch");
    const start = this.toImage(point);
    if (under.index === undefined) this.drag = { kind: "new", from: point, start };
    else {
      this.drag = {
        kind: under.handle === undefined ? "move" : "size",
        from: point,
        start,
        index: under.index,
        handle: under.handle,
        xyxy: [...this.boxes[under.index].xyxy],
      };
      if (this.selected !== under.index) this.select(under.index);
    }
  }

  move(event) {
    const point = this.at(event),
      drag = this.drag;
    if (!drag) {
      const under = event.shiftKey ? {} : this.under(point, false);
      this.canvas.style.cursor = this.panning
        ? "grab"
        : under.handle !== undefined
          ? CURSORS[under.handle]
          : under.index !== undefined
            ? "move"
            : "crosshair";
      return;
    }
    if (drag.kind === "pan") {
      this.shift = [drag.shift[0] + point[0] - drag.from[0], drag.shift[1] + point[1] - drag.from[1]];
      this.draw();
      return;
    }
    if (!drag.begun && Math.hypot(point[0] - drag.from[0], point[1] - drag.from[1]) < 3) return; // a click, so far
    const [x, y] = this.toImage(point).map((v) => Math.round(v * 10) / 10);
    if (!drag.begun) {
      drag.begun = true;
      this.remember(drag.kind);
      if (drag.kind === "new")
        drag.index = this.selected = this.boxes.push({ xyxy: [...drag.start, ...drag.start] }) - 1;
    }
    const box = this.boxes[drag.index];
    if (drag.kind === "new") box.xyxy = this.clipped([...drag.start, x, y]);
    else {
      const [dx, dy] = [x - drag.start[0], y - drag.start[1]];
      let [x1, y1, x2, y2] = drag.xyxy;
      if (drag.kind === "move") box.xyxy = this.kept(x1 + dx, y1 + dy, x2 - x1, y2 - y1);
      else {
        const [hx, hy] = HANDLES[drag.handle];
        if (hx === 0) x1 += dx;
        else if (hx === 1) x2 += dx;
        if (hy === 0) y1 += dy;
        else if (hy === 1) y2 += dy;
        box.xyxy = this.clipped([x1, y1, x2, y2]);
      }
      delete box.score; // it is the person's box now
    }
    this.draw();
  }

  release() {
    const drag = this.drag;
    this.drag = null;
    if (!drag || drag.kind === "pan") return;
    if (drag.begun) {
      const [x1, y1, x2, y2] = this.boxes[drag.index].xyxy;
      if (x2 - x1 < MIN_PX || y2 - y1 < MIN_PX) this.revert();
      else {
        this.draw();
        this.changed();
      }
    } else if (drag.kind === "new") this.select(-1);
  }

  // ---- drawing

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.draw();
  }

  draw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.paint();
    });
  }

  paint() {
    const { context, canvas, bitmap } = this,
      ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!bitmap) return;
    const view = this.view;
    context.imageSmoothingEnabled = (view.scale * ratio * this.size[0]) / bitmap.width < 4; // so large that one can count the pixels: show them as they are
    context.imageSmoothingQuality = "high";
    context.drawImage(
      bitmap,
      view.x * ratio,
      view.y * ratio,
      this.size[0] * view.scale * ratio,
      this.size[1] * view.scale * ratio,
    );
    const crisp = (v) => Math.round(v * ratio) + 0.5;
    const frame = (box) => {
      const [x1, y1, x2, y2] = box.xyxy;
      const left = crisp(x1 * view.scale + view.x),
        top = crisp(y1 * view.scale + view.y);
      return [left, top, crisp(x2 * view.scale + view.x) - left, crisp(y2 * view.scale + view.y) - top];
    };
    const stroke = (rect, color, width, dash = []) => {
      context.setLineDash([]);
      context.lineWidth = (width + 2) * ratio;
      context.strokeStyle = "#000b";
      context.strokeRect(...rect);
      context.setLineDash(dash.map((v) => v * ratio));
      context.lineWidth = width * ratio;
      context.strokeStyle = color;
      context.strokeRect(...rect);
    };
    for (const ghost of this.ghosts) {
      stroke(frame(ghost), "#ff7ad9", 1.5, [6, 4]);
      this.tag(frame(ghost), ghost.tag, "#ff7ad9", ratio, true);
    }
    this.boxes.forEach((box, index) => {
      const rect = frame(box),
        chosen = index === this.selected;
      stroke(
        rect,
        box.score === undefined ? "#4dff88" : "#ffd84d",
        chosen ? 2 : 1.25,
        box.score === undefined ? [] : [9, 3],
      );
      if (box.score !== undefined) this.tag(rect, box.score.toFixed(2), "#ffd84d", ratio);
      if (!chosen) return;
      const small = Math.min(rect[2], rect[3]) < 36 * ratio,
        half = 4 * ratio;
      context.setLineDash([]);
      for (const [hx, hy] of HANDLES) {
        if (small && (hx === 0.5 || hy === 0.5)) continue;
        context.fillStyle = "#fff";
        context.strokeStyle = "#000";
        context.lineWidth = ratio;
        const spot = [rect[0] + rect[2] * hx - half, rect[1] + rect[3] * hy - half, 2 * half, 2 * half];
        context.fillRect(...spot);
        context.strokeRect(...spot);
      }
    });
  }

  tag([x, y, , h], text, color, ratio, below = false) {
    const { context } = this;
    context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
    const width = context.measureText(text).width + 8 * ratio,
      height = 17 * ratio;
    const top = below
      ? Math.min(y + h + 6 * ratio, this.canvas.height - height)
      : Math.max(y - height - 6 * ratio, 0);
    context.fillStyle = color;
    context.fillRect(x, top, width, height);
    context.fillStyle = "#000";
    context.fillText(text, x + 4 * ratio, top + 13 * ratio);
  }
}
