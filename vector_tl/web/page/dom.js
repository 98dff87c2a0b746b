// Making and changing elements. All text goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(tag, text = "", className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// Changes the page only where the text is another: what a person has selected stays so.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
