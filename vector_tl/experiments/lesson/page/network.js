// An SSD-MobileNet in plain JavaScript, about a second for an image: no server, no download, no library.
// Maps are { data: Float32Array (channels, height, width), channels, height, width }.

// What network.py wrote: a map of the page's text to numbers, once.
export function readNetwork(about) {
  const bytes = Uint8Array.from(atob(about.weights), (letter) => letter.charCodeAt(0));
  const halves = new Uint16Array(bytes.buffer);
  let at = 0;
  const take = (count) => {
    const part = Float32Array.from(halves.subarray(at, at + count), toFloat);
    at += count;
    return part;
  };
  const layers = about.layers.map((layer) => {
    const inputs = layer.depthwise ? 1 : layer.in;
    return { ...layer, weight: take(layer.out * inputs * layer.kernel ** 2), bias: take(layer.out) };
  });
  return { ...about, weights: undefined, layers };
}

function toFloat(half) {
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
  return half & 0x8000 ? -size : size;
}

// Boxes [x1, y1, x2, y2, score] in 0..1, best first, of RGBA pixels of the network's size.
export async function runNetwork(network, rgba, threshold = 0.05) {
  const [width, height] = network.size;
  const plane = width * height;
  const input = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i += 1)
    for (let c = 0; c < 3; c += 1)
      input[c * plane + i] = (rgba[4 * i + c] / 255 - network.mean) / network.std;
  let map = { data: input, channels: 3, height, width };
  const maps = [];
  const backbone = network.layers.filter((layer) => layer.relu6);
  const heads = network.layers.filter((layer) => !layer.relu6);
  for (const layer of backbone) {
    map = convolve(map, layer);
    if (layer.map) maps.push(map);
    await new Promise((resolve) => setTimeout(resolve)); // the page stays alive
  }
  const logits = heads.slice(0, maps.length).map((head, i) => convolve(maps[i], head));
  const codes = heads.slice(maps.length).map((head, i) => convolve(maps[i], head));
  return select(network, readHeads(logits, 1), readHeads(codes, 4), threshold);
}

// (anchors x columns, h, w) of each map to one row for each anchor, place after place.
function readHeads(maps, columns) {
  const rows = [];
  for (const { data, channels, height, width } of maps) {
    const plane = height * width;
    for (let place = 0; place < plane; place += 1)
      for (let anchor = 0; anchor < channels / columns; anchor += 1)
        rows.push(Array.from({ length: columns }, (_, c) => data[(anchor * columns + c) * plane + place]));
  }
  return rows;
}

function convolve(map, layer) {
  const made = layer.kernel === 1 ? pointwise(map, layer) : spatial(map, layer);
  if (layer.relu6) made.data.set(made.data.map((value) => Math.min(6, Math.max(0, value))));
  return made;
}

function pointwise({ data, channels, height, width }, { out, weight, bias }) {
  const plane = height * width;
  const made = new Float32Array(out * plane);
  for (let o = 0; o < out; o += 1) {
    const to = made.subarray(o * plane, (o + 1) * plane).fill(bias[o]);
    for (let i = 0; i < channels; i += 4) {
      // four at a time: fewer passes over `to`; numbers of channels are multiples of 8
      const [w0, w1, w2, w3] = weight.subarray(o * channels + i, o * channels + i + 4);
      const [a, b, c, d] = [i * plane, (i + 1) * plane, (i + 2) * plane, (i + 3) * plane];
      for (let p = 0; p < plane; p += 1)
        to[p] += w0 * data[a + p] + w1 * data[b + p] + w2 * data[c + p] + w3 * data[d + p];
    }
  }
  return { data: made, channels: out, height, width };
}

// Padded as TensorFlow's SAME: an odd pixel goes right and below.
function spatial(map, { out, stride, kernel, depthwise, weight, bias }) {
  const [height, width] = [Math.ceil(map.height / stride), Math.ceil(map.width / stride)];
  const before = (to, from) => Math.floor(Math.max((to - 1) * stride + kernel - from, 0) / 2);
  const [top, left] = [before(height, map.height), before(width, map.width)];
  const made = new Float32Array(out * height * width);
  const inputs = depthwise ? 1 : map.channels;
  for (let o = 0; o < out; o += 1) {
    const to = made.subarray(o * height * width, (o + 1) * height * width).fill(bias[o]);
    for (let i = 0; i < inputs; i += 1) {
      const from = (depthwise ? o : i) * map.height * map.width;
      for (let k = 0; k < kernel * kernel; k += 1) {
        const w = weight[(o * inputs + i) * kernel * kernel + k];
        const [dy, dx] = [Math.floor(k / kernel) - top, (k % kernel) - left];
        for (let y = 0; y < height; y += 1) {
          const row = y * stride + dy;
          if (row < 0 || row >= map.height) continue;
          const first = Math.max(0, Math.ceil(-dx / stride));
          const last = Math.min(width, Math.ceil((map.width - dx) / stride));
          const start = from + row * map.width + dx;
          for (let x = first; x < last; x += 1) to[y * width + x] += w * map.data[start + x * stride];
        }
      }
    }
  }
  return { data: made, channels: out, height, width };
}

// -- from numbers to boxes, as nets/ssd.py and nets/suppression.py do it

const clip = (value) => Math.min(1, Math.max(0, value));

function decode([tx, ty, tw, th], [cx, cy, w, h]) {
  const [x, y] = [cx + (tx / 10) * w, cy + (ty / 10) * h];
  const [halfW, halfH] = [(w * Math.exp(Math.min(tw / 5, 4))) / 2, (h * Math.exp(Math.min(th / 5, 4))) / 2];
  return [clip(x - halfW), clip(y - halfH), clip(x + halfW), clip(y + halfH)];
}

const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
const shared = (a, b) =>
  Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) *
  Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));

function select({ anchors, calibration: [scale, shift], suppression }, logits, codes, threshold) {
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const all = logits
    .map(([logit], i) => ({ logit, score: sigmoid(logit), box: decode(codes[i], anchors[i]) }))
    .sort((a, b) => b.logit - a.logit)
    .slice(0, suppression.best);
  const drops = (better, other) => {
    const both = shared(better.box, other.box);
    const union = area(better.box) + area(other.box) - both;
    return both > suppression.max_iou * union || both > suppression.max_inside * area(other.box);
  };
  const kept = [];
  for (const one of all) if (!kept.some((better) => drops(better, one))) kept.push(one);
  return kept
    .map((one) => [...vote(one, all, suppression), sigmoid(scale * one.logit + shift)])
    .filter((box) => box[4] >= threshold);
}

// The mean of all boxes that nearly cover it.
function vote(chosen, all, { spread, power }) {
  let total = 0;
  const sum = [0, 0, 0, 0];
  for (const { box, score } of all) {
    const both = shared(chosen.box, box);
    const iou = both / (area(chosen.box) + area(box) - both);
    if (!(iou > 0)) continue;
    const weight = Math.exp(-((1 - iou) ** 2) / spread) * Math.min(score / chosen.score, 1) ** power;
    total += weight;
    for (let i = 0; i < 4; i += 1) sum[i] += weight * box[i];
  }
  return total > 0 ? sum.map((value) => value / total) : chosen.box;
}
