// Two films under one control. The first leads; the second is kept within a fraction of an image of it.
import { byId } from "./dom.js";
import { pageKey } from "./keys.js";

const FAR_S = 0.3; // apart by more: jump; by less: run a little faster or slower
const NEAR_S = 0.015;
const MAX_BYTES = 64e6; // films up to here are fetched whole, so that they can be searched on any host

export function pairPlayer(sources, fps) {
  const videos = [...document.querySelectorAll("#player video")];
  const [play, word, seek, time, speed] = ["play", "play-word", "seek", "time", "speed"].map(byId);
  let wanted = false; // whether the person wants to see them play
  let held = false; // while one waits for data
  let rate = 1;
  let duration = 0;
  let frames = 1;

  Promise.all(videos.map((video, index) => load(video, sources[index]))).then(
    () => {
      duration = Math.min(...videos.map((video) => video.duration));
      frames = Math.max(Math.round(duration * fps), 1);
      seek.max = duration;
      play.disabled = seek.disabled = false;
      show();
    },
    () => {
      const trouble = byId("film-trouble");
      trouble.textContent =
        "A film could not be loaded, or this browser does not play it (H.264). Load the page again, or try another browser; if it stays so, the film may be gone where the vote is held.";
      trouble.hidden = false;
    },
  );

  function moves() {
    const second = Math.max(Math.round(fps), 1);
    return { ArrowLeft: -second, ArrowRight: second, Home: -frames, End: frames, ",": -1, ".": 1 };
  }

  function now() {
    return videos[0].currentTime;
  }

  function frame(t_s = now()) {
    return Math.min(Math.max(Math.floor(t_s * fps + 0.001), 0), frames - 1);
  }

  function go(number) {
    // to the middle of a frame: at its edge one film might show this one and the other the next
    for (const video of videos) video.currentTime = (Math.min(Math.max(number, 0), frames - 1) + 0.5) / fps;
    show();
  }

  function start() {
    if (frame() === frames - 1) go(0);
    wanted = true;
    held = false;
    for (const video of videos) video.play().catch(() => {});
    show();
    requestAnimationFrame(keepTogether);
  }

  function stop() {
    wanted = false;
    for (const video of videos) video.pause();
    go(frame());
  }

  function keepTogether() {
    if (!wanted) return;
    const [leader, follower] = videos;
    if (videos.some((video) => video.ended)) {
      stop();
      return;
    }
    const ready = videos.every((video) => video.readyState >= 3 && !video.seeking);
    if (!ready && !held) {
      // one waits for data: so does the other
      held = true;
      for (const video of videos) video.pause();
    } else if (ready && held) {
      held = false;
      for (const video of videos) video.play().catch(() => {});
    } else if (ready) {
      const ahead_s = follower.currentTime - leader.currentTime;
      if (Math.abs(ahead_s) > FAR_S) follower.currentTime = leader.currentTime;
      const pull = Math.abs(ahead_s) > NEAR_S ? Math.min(Math.max(ahead_s * 2, -0.1), 0.1) : 0;
      setRate(leader, rate);
      setRate(follower, rate * (1 - pull));
    }
    show();
    requestAnimationFrame(keepTogether);
  }

  function setRate(video, value) {
    if (Math.abs(video.playbackRate - value) > 0.005) video.playbackRate = value;
  }

  function show() {
    const t = wanted ? now() : frame() === frames - 1 ? duration : frame() / fps;
    seek.value = t;
    time.textContent = `${t.toFixed(1)} / ${duration.toFixed(1)} s`;
    seek.setAttribute("aria-valuetext", `${t.toFixed(1)} of ${duration.toFixed(1)} seconds`);
    play.classList.toggle("on", wanted);
    word.textContent = wanted ? "Pause" : "Play";
  }

  function toggle() {
    if (play.disabled) return;
    if (wanted) stop();
    else start();
  }

  play.addEventListener("click", toggle);
  for (const video of videos) {
    video.addEventListener("click", toggle);
    video.addEventListener("pause", () => {
      // by the browser itself, as when a phone is put away
      if (wanted && !held && video.paused) stop();
    });
  }
  seek.addEventListener("input", () => go(frame(Number(seek.value))));
  speed.addEventListener("click", () => {
    rate = rate === 1 ? 0.5 : 1;
    for (const video of videos) video.playbackRate = rate;
    speed.textContent = rate === 1 ? "1×" : "½×";
    speed.setAttribute("aria-label", rate === 1 ? "1× speed, normal" : "½× speed, half");
  });
  document.addEventListener("keydown", (event) => {
    const key = pageKey(event);
    if (play.disabled || key === null) return;
    if (key === " " || key === "k") toggle();
    else if (key in moves()) {
      if (key === "," || key === ".") stop();
      go(frame() + moves()[key]);
    } else return;
    event.preventDefault();
  });
}

async function load(video, source) {
  const ready = new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", resolve, { once: true });
    video.addEventListener("error", reject, { once: true });
  });
  video.src = await whole(source).catch(() => source); // from a file, fetching is forbidden but playing is not
  await ready;
}

async function whole(source) {
  const answer = await fetch(source);
  if (!answer.ok || Number(answer.headers.get("content-length")) > MAX_BYTES) throw new Error("not whole");
  return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "video/mp4" }));
}
