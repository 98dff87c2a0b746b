// Which key of the keyboard is meant for the page: its name, a letter in lower case; null for one that belongs to the
// browser, to text that is being written, or to the button that has the focus.

export function pageKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (event.target.closest("textarea, select, a, input:not([type=range])")) return null;
  if ((event.key === " " || event.key === "Enter") && event.target.closest("button")) return null;
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}
