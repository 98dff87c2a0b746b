// A line in each plot follows the film; a click or an arrow key in a plot moves the film.

const video = document.querySelector("video");
const plots = [...document.querySelectorAll(".timelines .plot")];
const box = document.querySelector(".timelines");
const length = box ? Number(box.dataset.seconds) : 0;
// Moments of the frames' time and the film's, in seconds: after a title card, or where a film stands still
// to explain, the two differ.
const knots = box ? JSON.parse(box.dataset.knots) : [[0, 0]];

// From one of these times (0: the frames', 1: the film's) to the other.
function other(seconds, from) {
  let [known, next] = [knots[0], null];
  for (const knot of knots) {
    if (knot[from] <= seconds) known = knot;
    else {
      next = knot;
      break;
    }
  }
  const to = 1 - from;
  const pace = next ? (next[to] - known[to]) / (next[from] - known[from]) : 1;
  return known[to] + pace * (seconds - known[from]);
}

function show(seconds) {
  const share = Math.min(Math.max(seconds / length, 0), 1);
  for (const plot of plots) plot.querySelector(".cue").style.left = `calc(${100 * share}% - 1px)`;
  box.querySelector("output").textContent = `${Math.max(0, Math.min(seconds, length)).toFixed(1)} s`;
}

function seek(seconds) {
  const to = Math.min(Math.max(seconds, 0), length);
  if (video) video.currentTime = other(to, 0);
  show(to);
}

if (box && length > 0) {
  box.classList.toggle("seek", true);
  for (const plot of plots) {
    const follow = (event) => {
      const place = plot.getBoundingClientRect();
      seek((length * (event.clientX - place.left)) / place.width);
    };
    plot.addEventListener("pointerdown", (event) => {
      plot.setPointerCapture(event.pointerId);
      follow(event);
    });
    plot.addEventListener("pointermove", (event) => {
      if (event.buttons) follow(event);
    });
  }
  const slider = box.querySelector("input");
  slider.addEventListener("input", () => seek(Number(slider.value)));
  for (const button of document.querySelectorAll(".events button")) {
    button.addEventListener("click", () => seek(Number(button.dataset.s)));
  }
  if (video) {
    const follow = () => {
      const seconds = other(video.currentTime, 1);
      slider.value = seconds;
      show(seconds);
    };
    video.addEventListener("timeupdate", follow);
    const step = () => {
      if (!video.paused) {
        follow();
        requestAnimationFrame(step);
      }
    };
    video.addEventListener("play", step);
  }
  show(0);
}

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const words = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(words.textContent);
      button.textContent = "copied";
    } catch {
      // no clipboard for a page from a file: mark it for Ctrl-C
      getSelection().selectAllChildren(words);
    }
  });
}
