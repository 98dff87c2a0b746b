// The page of a poll: voting over HTTP, voting by code on a host without server, the result. All text goes in as text, never as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const late_s = data.now_s ? data.now_s - Date.now() / 1000 : 0; // how far this clock is behind the server's
const SAID = { left: "the left film", right: "the right film", none: "no difference" };
const SAID_NARROW = { left: "the upper film", right: "the lower film", none: "no difference" };

$("question").textContent = data.question;
({ vote: showVote, code: showCode, result: showResult, notice: showNotice })[data.mode]();

function make(kind, text = "", className = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  element.className = className;
  return element;
}

function tell(text) {
  $("status").textContent = text;
  $("status").hidden = false;
}

function said(side) {
  return (matchMedia("(max-width: 700px)").matches ? SAID_NARROW : SAID)[side];
}

function until() {
  const open_s = data.closes_s - Date.now() / 1000 - late_s;
  if (open_s <= 0) return "Voting has closed.";
  const minutes = Math.ceil(open_s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  const span = days > 1 ? `${days} days ${hours % 24} h` : hours ? `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}` : `${minutes} min`;
  const then = data.mode === "code" ? "Then the result is told" : "Then this page shows the result";
  return `Voting is open for another ${span}. ${then}, and which program was which.`;
}

function showFilms(left, right) {
  $("about").hidden = $("player").hidden = false;
  $("until").textContent = until();
  pairPlayer([left, right], data.fps);
}

function showForm(send) {
  const why = $("why");
  const count = () => { $("left-over").textContent = `${why.value.length} of ${data.longest_why}`; };
  why.maxLength = data.longest_why;
  why.addEventListener("input", count);
  count();
  $("vote").hidden = false;
  $("vote").addEventListener("submit", (event) => {
    event.preventDefault();
    send(new FormData($("vote")).get("side"), why.value);
  });
}

// with a server -------------------------------------------------------------------------------------------------------------------

function showVote() {
  showFilms(data.left, data.right);
  if (data.voted) thank(data.voted);
  else showForm(sendVote);
}

async function sendVote(side, why) {
  $("send").disabled = true;
  for (let attempt = 0; attempt < 5; attempt++) { // a server that is started anew takes a moment; sending twice does no harm
    try {
      const body = JSON.stringify({ side, why, token: data.token });
      const answer = await fetch("vote", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (answer.ok) return thank(side);
      if (answer.status !== 503) {
        const { error } = await answer.json().catch(() => ({ error: "The vote was not taken." }));
        tell(error);
        if (answer.status === 409 || answer.status === 410) $("vote").hidden = true;
        $("send").disabled = false;
        return;
      }
    } catch { /* no answer: once more */ }
    tell("No answer yet; trying again.");
    await new Promise((resolve) => setTimeout(resolve, 1000 * (attempt + 1)));
  }
  tell("The server does not answer. Press Vote again in a while; your vote counts once at most.");
  $("send").disabled = false;
}

function thank(side) {
  $("vote").hidden = true;
  tell(`Thank you. Your vote is counted: ${said(side)}.`);
}

// without one: the vote is a code -------------------------------------------------------------------------------------------------

function showCode() {
  const key = `poll_${data.poll}`, own = recall(key);
  const invitation = new URLSearchParams(location.search).get("i");
  own.voter ??= [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  own.turned ??= crypto.getRandomValues(new Uint8Array(1))[0] % 2;
  keep(key, own);
  if (data.invited && !invitation) return showNotice("invitation");
  const [left, right] = own.turned ? [data.files[1], data.files[0]] : data.files;
  showFilms(left, right);
  if (own.code) return showVoteCode(own);
  if (until() === "Voting has closed.") return;
  $("send").textContent = "Make my code";
  showForm((side, why) => {
    const film = left.split("/").pop();
    const vote = { p: data.poll, v: data.invited ? invitation : own.voter, s: side, l: film, w: why, t: Math.round(Date.now() / 1000) };
    const bytes = new TextEncoder().encode(JSON.stringify(vote));
    const body = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
    own.code = `VP1.${body}.${crc32(body).toString(16).padStart(8, "0")}`;
    own.side = side;
    keep(key, own);
    $("vote").hidden = true;
    showVoteCode(own);
  });
}

function showVoteCode(own) {
  $("code").hidden = false;
  $("code-text").value = own.code;
  $("code-text").style.height = `${$("code-text").scrollHeight + 4}px`;
  $("send-to").textContent = `You chose ${said(own.side)}. The vote counts once you have sent this code to ${data.contact || "whoever asked you to vote"}.`;
  if (/^[^\s@<>"?&]+@[^\s@<>"?&]+$/.test(data.contact)) {
    $("mail").href = `mailto:${encodeURIComponent(data.contact)}?subject=Vote&body=${encodeURIComponent(own.code)}`;
    $("mail").hidden = false;
  }
  $("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(own.code);
    } catch { // not over plain HTTP
      $("code-text").select();
      document.execCommand("copy");
    }
    $("copy").textContent = "Copied";
  });
}

function recall(key) {
  try { return JSON.parse(localStorage.getItem(key)) || {}; } catch { return {}; }
}

function keep(key, own) {
  try { localStorage.setItem(key, JSON.stringify(own)); } catch { /* a private window: until it is closed */ }
}

function crc32(text) {
  let crc = -1;
  for (const sign of text) {
    crc ^= sign.charCodeAt(0);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return (crc ^ -1) >>> 0;
}

// what came of it -----------------------------------------------------------------------------------------------------------------

function showNotice(notice = data.notice) {
  if (notice === "invitation") return tell("This vote is by invitation: open the page with the personal address you were given.");
  $("until").textContent = until();
  tell(`${data.votes} ${data.votes === 1 ? "person has" : "people have"} voted so far.`);
}

function showResult() {
  const { films, votes, decided, no_difference, chose_left, chose_right, closes, closed, why_no_difference } = data.result;
  const named = films.map((film) => ({ ...film, name: film.caption.includes(film.model) ? film.caption : `${film.caption} (${film.model})` }));
  named.sort((a, b) => b.votes - a.votes);
  const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 1 ? 1 : 0)} %`;
  $("kicker").textContent = "Result of the blind vote";
  $("until").textContent = closed ? `Voting closed at ${new Date(closes).toLocaleString()}.` : "Voting is still open.";
  $("result").hidden = false;
  const clear = decided && named[0].interval95[0] > 0.5;
  $("verdict").textContent = !decided ? "Nobody has decided for a side." : clear
    ? `More people like “${named[0].name}” better.` : "No clear preference: the interval holds one half.";
  for (const film of named) {
    const item = make("li"), line = make("div", "", "share-line"), bar = make("div", "", "bar");
    const votes_word = `${film.votes} ${film.votes === 1 ? "vote" : "votes"}`;
    line.append(make("span", film.name), make("span", film.share === null ? votes_word : `${votes_word}, ${percent(film.share)}`, "figures"));
    item.append(line, bar);
    if (film.share !== null) {
      const [low, high] = film.interval95, fill = make("div", "", "fill"), reach = make("div", "", "reach");
      fill.style.width = `${100 * film.share}%`;
      reach.style.left = `${100 * low}%`;
      reach.style.width = `${100 * (high - low)}%`;
      bar.append(fill, make("div", "", "half"), reach);
      item.append(make("div", `95 % interval: ${percent(low)} to ${percent(high)}`, "quiet"));
    }
    $("shares").append(item);
  }
  $("counts").textContent = `${votes} ${votes === 1 ? "vote" : "votes"}, of which ${decided} for a side and ${no_difference} “no difference”. `
    + `Shares are of those for a side (Wilson interval). ${chose_left} chose what they saw left, ${chose_right} what they saw right.`;
  for (const [title, words] of [...named.map((film) => [`Why “${film.name}”`, film.why]), ["Why no difference", why_no_difference]]) {
    if (words.length) $("words").append(make("h2", title), ...words.map((word) => make("blockquote", word)));
  }
  for (const [index, film] of named.entries()) {
    $(index ? "caption-right" : "caption-left").replaceChildren(film.name);
  }
  $("counts").after($("player"));
  $("player").hidden = false;
  pairPlayer(named.map((film) => `films/${film.film}`), data.fps);
}
