// One's own photo, seen by both networks in this page. Nothing is sent anywhere.
import { byId, setText } from "../../../web/page/dom.js";
import { drawMarks } from "./marks.js";
import { readNetwork, runNetwork } from "./network.js";

const ARMS = ["scratch", "coco"];
const MAX_SIDE_PX = 1280; // of the photo as it is shown

// Returns what draws the boxes again when the threshold changes.
export function startPhoto({ words, fill, threshold }) {
  const networks = {};
  const seen = {};
  let size = null;
  let turn = 0;
  const twin = (arm) => document.querySelector(`#photo .${arm}`);

  function draw() {
    for (const arm of ARMS) {
      if (!seen[arm]) continue;
      const shown = seen[arm].filter((box) => box[4] >= Math.round(1000 * threshold()));
      drawMarks(twin(arm).querySelector("svg"), { found: shown, alarms: [], missed: [] }, size);
      setText(
        twin(arm).querySelector(".count"),
        shown.length ? fill(words.photo_boxes, { n: shown.length }) : words.no_boxes,
      );
    }
  }

  function network(arm) {
    networks[arm] ??= readNetwork(JSON.parse(byId(`network-${arm}`).textContent));
    return networks[arm];
  }

  function show(image) {
    const scale = Math.min(1, MAX_SIDE_PX / Math.max(image.width, image.height));
    size = [Math.round(image.width * scale), Math.round(image.height * scale)];
    for (const arm of ARMS) {
      delete seen[arm];
      const canvas = twin(arm).querySelector("canvas");
      [canvas.width, canvas.height] = size;
      canvas.getContext("2d").drawImage(image, 0, 0, ...size);
      twin(arm).querySelector(".seen").style.aspectRatio = `${size[0]} / ${size[1]}`;
      twin(arm).querySelector("svg").replaceChildren();
      setText(twin(arm).querySelector(".count"), "");
    }
    byId("photo-twins").hidden = false;
  }

  function pixelsFor({ size: [width, height] }, image) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  }

  async function look(file) {
    turn += 1;
    const mine = turn;
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      setText(byId("photo-status"), words.photo_bad);
      return;
    }
    show(image);
    setText(byId("photo-status"), words.photo_working);
    const started = performance.now();
    try {
      for (const arm of ARMS) {
        await new Promise((resolve) => setTimeout(resolve, 30)); // the words above are drawn first
        const boxes = await runNetwork(network(arm), pixelsFor(network(arm), image));
        if (mine !== turn) return; // another photo came
        seen[arm] = boxes.map(([x1, y1, x2, y2, score]) => [
          ...[x1, y1, x2, y2].map((side, i) => side * size[i % 2]),
          Math.round(1000 * score),
          0,
        ]);
        draw();
      }
      const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
      setText(byId("photo-status"), fill(words.photo_done, { seconds }));
    } catch (error) {
      console.error(error);
      setText(byId("photo-status"), words.photo_failed);
    }
  }

  const input = byId("photo-file");
  if (!input) return () => {};
  const place = byId("drop");
  input.addEventListener("change", () => input.files[0] && look(input.files[0]));
  for (const kind of ["dragover", "drop"])
    addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.toggle("over", kind === "dragover");
      const file = kind === "drop" && event.dataTransfer.files[0];
      if (file) look(file);
    });
  addEventListener("dragleave", () => place.classList.remove("over"));
  return draw;
}
