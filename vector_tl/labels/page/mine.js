// One look at all images in which a model sees a Vector that is not there: a click leaves an image out, or takes it back
// in; the button adds the others to the dataset and ends the page.

import { ask } from "./ask.js";
import { byId, make, plural, setText } from "./dom.js";

const shown = () => [...byId("images").children];
const isKept = (button) => button.getAttribute("aria-pressed") === "true";

function keep(button, kept) {
  button.setAttribute("aria-pressed", String(kept));
}

function count() {
  const kept = shown().filter(isKept).length;
  setText(byId("progress"), `${kept} of ${shown().length} to add`);
  setText(byId("add"), kept ? `Add ${plural(kept, "image")}` : "Add none");
}

function imageButton(image) {
  const button = make("button");
  button.append(Object.assign(make("img"), { src: image.src, alt: "" }), make("span", image.caption));
  keep(button, true);
  button.addEventListener("click", () => {
    keep(button, !isKept(button));
    count();
  });
  return button;
}

function end(sentence) {
  byId("images").replaceChildren();
  for (const id of ["all", "none", "add"]) byId(id).hidden = true;
  setText(byId("progress"), "");
  setText(byId("about"), sentence);
}

async function add() {
  const numbers = shown().flatMap((button, number) => (isKept(button) ? [number] : []));
  byId("add").disabled = true;
  try {
    const { kept } = await ask("decide", { keep: numbers });
    end(`${plural(kept, "image")} will be added; this page can be closed.`);
  } catch (error) {
    setText(byId("about"), error.message);
    byId("add").disabled = false;
  }
}

function all(kept) {
  for (const button of shown()) keep(button, kept);
  count();
}

async function begin() {
  const { model, images } = await ask("start");
  setText(
    byId("about"),
    `${model} sees a Vector (red) in these images. If one really shows a Vector, click it: it is left out. The others are ` +
      "added to the dataset as images without a Vector.",
  );
  byId("images").append(...images.map(imageButton));
  byId("all").addEventListener("click", () => all(true));
  byId("none").addEventListener("click", () => all(false));
  byId("add").addEventListener("click", add);
  byId("add").disabled = false;
  count();
}

begin().catch((error) => setText(byId("about"), error.message));
