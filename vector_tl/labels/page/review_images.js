// The images as bitmaps, no larger than the screen needs: the one on show, and the next one ahead of time.
import { byId } from "./dom.js";
import { desk, keyOf, query, stage } from "./review_state.js";

const WIDTHS_PX = [320, 4096];
const MAX_HELD = 6;
const bitmaps = new Map(); // address -> promise of a bitmap, or of null

export function loadBitmap(key) {
  const address = `image${query({ ...key, width: width() })}`;
  if (!bitmaps.has(address)) {
    bitmaps.set(address, fetchBitmap(address));
    if (bitmaps.size > MAX_HELD) bitmaps.delete(bitmaps.keys().next().value);
  }
  return bitmaps.get(address);
}

// In steps of two, so that what was fetched ahead fits.
function width() {
  const wanted = byId("stage").clientWidth * (window.devicePixelRatio || 1) * Math.max(stage.zoomed, 1);
  const [smallest, largest] = WIDTHS_PX;
  return Math.min(largest, smallest * 2 ** Math.max(0, Math.ceil(Math.log2(wanted / smallest))));
}

async function fetchBitmap(address) {
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error("no image");
    return await createImageBitmap(await response.blob());
  } catch {
    bitmaps.delete(address);
    return null;
  }
}

export function prefetch() {
  const next = desk.queue[desk.at + 1];
  if (next) loadBitmap(keyOf(next));
}

// More pixels of a large image once one looks closer.
export async function sharpen() {
  const { image } = desk;
  if (!image?.size_wh || !stage.bitmap || stage.bitmap.width >= image.size_wh[0]) return;
  const bitmap = await loadBitmap(keyOf(image));
  if (bitmap && desk.image === image && bitmap.width > stage.bitmap.width) {
    stage.bitmap = bitmap;
    stage.draw();
  }
}
