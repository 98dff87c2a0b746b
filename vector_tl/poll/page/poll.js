// The page of a poll: voting over HTTP, voting by code on a host without server, the result.
import { ask } from "./ask.js";
import { byId, make, plural, wait } from "./dom.js";
import { pairPlayer } from "./poll_player.js";

const data = JSON.parse(byId("data").textContent);
const late_s = data.now_s ? data.now_s - Date.now() / 1000 : 0; // how far this clock is behind the server's
const SAID = { left: "the left film", right: "the right film", none: "no difference" };
const SAID_NARROW = { left: "the upper film", right: "the lower film", none: "no difference" };

function say(text) {
  byId("status").textContent = text;
  byId("status").hidden = false;
}

function said(side) {
  return (matchMedia("(max-width: 700px)").matches ? SAID_NARROW : SAID)[side];
}

function until() {
  const open_s = data.closes_s - Date.now() / 1000 - late_s;
  if (open_s <= 0) return "Voting has closed.";
  const minutes = Math.ceil(open_s / 60);
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60), minutes % 60];
  let span = `${minutes} min`;
  if (days > 1) span = `${days} days ${hours % 24} h`;
  else if (hours) span = `${hours} h${rest ? ` ${rest} min` : ""}`;
  const then =
    data.mode === "code" ? "Whoever asked you then says the result" : "Then this page shows the result";
  return `Voting is open for another ${span}. ${then}, and which program was which.`;
}

function showFilms(left, right) {
  byId("about").hidden = byId("player").hidden = false;
  byId("until").textContent = until();
  pairPlayer([left, right], data.fps);
}

function showForm(send) {
  const why = byId("why");
  const count = () => {
    byId("left-over").textContent = `${why.value.length} of ${data.longest_why}`;
  };
  why.maxLength = data.longest_why;
  why.addEventListener("input", count);
  count();
  byId("vote").hidden = false;
  byId("vote").addEventListener("submit", (event) => {
    event.preventDefault();
    send(new FormData(byId("vote")).get("side"), why.value);
  });
}

// with a server -------------------------------------------------------------------------------------------------------------------

function showVote() {
  showFilms(data.left, data.right);
  if (data.voted) thank(data.voted);
  else showForm(sendVote);
}

async function sendVote(side, why) {
  byId("send").disabled = true;
  for (let attempt = 1; attempt <= 5; attempt++) {
    try {
      await ask("vote", { side, why, token: data.token });
      thank(side);
      return;
    } catch (error) {
      if (![0, 503].includes(error.status)) {
        say(error.message);
        byId("vote").hidden = [409, 410].includes(error.status); // counted before, or voting has closed
        byId("send").disabled = false;
        return;
      }
    }
    say("No answer yet; trying again.");
    await wait(1000 * attempt); // a server that is started anew takes a moment; sending twice does no harm
  }
  say("The server does not answer. Press Vote again in a while; your vote counts once at most.");
  byId("send").disabled = false;
}

function thank(side) {
  byId("vote").hidden = true;
  say(`Thank you. Your vote is counted: ${said(side)}.`);
}

// without one: the vote is a code -------------------------------------------------------------------------------------------------

function showCode() {
  const key = `poll_${data.poll}`;
  const own = recall(key);
  const invitation = new URLSearchParams(location.search).get("i");
  const random = (bytes) => [...crypto.getRandomValues(new Uint8Array(bytes))];
  own.voter ??= random(16)
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  own.turned ??= random(1)[0] % 2;
  remember(key, own);
  if (data.invited && !invitation) return showNotice("invitation");
  const [left, right] = own.turned ? [data.files[1], data.files[0]] : data.files;
  showFilms(left, right);
  if (own.code) return showVoteCode(own);
  if (until() === "Voting has closed.") return;
  byId("send").textContent = "Make my code";
  showForm((side, why) => {
    const film = left.split("/").pop();
    const voter = data.invited ? invitation : own.voter;
    const vote = { p: data.poll, v: voter, s: side, l: film, w: why, t: Math.round(Date.now() / 1000) };
    const bytes = new TextEncoder().encode(JSON.stringify(vote));
    const body = btoa(String.fromCharCode(...bytes))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=/g, "");
    own.code = `VP1.${body}.${crc32(body).toString(16).padStart(8, "0")}`;
    own.side = side;
    remember(key, own);
    byId("vote").hidden = true;
    showVoteCode(own);
  });
}

function showVoteCode(own) {
  byId("code").hidden = false;
  byId("code-text").value = own.code;
  byId("code-text").style.height = `${byId("code-text").scrollHeight + 4}px`;
  const to = data.contact || "whoever asked you to vote";
  byId("send-to").textContent =
    `You chose ${said(own.side)}. The vote counts once you have sent this code to ${to}.`;
  if (/^[^\s@<>"?&]+@[^\s@<>"?&]+$/.test(data.contact)) {
    const [address, code] = [data.contact, own.code].map(encodeURIComponent);
    byId("mail").href = `mailto:${address}?subject=Vote&body=${code}`;
    byId("mail").hidden = false;
  }
  byId("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(own.code);
    } catch {
      // not over plain HTTP
      byId("code-text").select();
      document.execCommand("copy");
    }
    byId("copy").textContent = "Copied";
  });
}

function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) || {};
  } catch {
    return {};
  }
}

function remember(key, own) {
  try {
    localStorage.setItem(key, JSON.stringify(own));
  } catch {
    // a private window: until it is closed
  }
}

function crc32(text) {
  let crc = -1;
  for (const sign of text) {
    crc ^= sign.charCodeAt(0);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return (crc ^ -1) >>> 0;
}

// the result --------------------------------------------------------------------------------------

const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 1 ? 1 : 0)} %`;

function showNotice(notice = data.notice) {
  if (notice === "invitation") {
    say("This vote is by invitation: open the page with the personal address you were given.");
    return;
  }
  if (notice === "address") {
    say("This vote is for those who have the page's whole address: open it as it was given to you.");
    return;
  }
  byId("until").textContent = until();
  const voted = data.warning
    ? `There are ${plural(data.votes, "vote")} so far.`
    : `${plural(data.votes, "person has", "people have")} voted so far.`;
  say([voted, data.warning].filter(Boolean).join(" "));
}

function showResult() {
  const { closes, closed } = data.result;
  const name = ({ caption, model }) => (caption.includes(model) ? caption : `${caption} (${model})`);
  const films = data.result.films.map((film) => ({ ...film, name: name(film) }));
  films.sort((a, b) => b.votes - a.votes);
  byId("kicker").textContent = "Result of the blind vote";
  const when = new Date(closes).toLocaleString();
  byId("until").textContent = closed ? `Voting closed at ${when}.` : "Voting is still open.";
  byId("result").hidden = false;
  byId("verdict").textContent = verdict(films, data.result.decided);
  byId("shares").append(...films.map(shareOf));
  byId("counts").textContent = counts(data.result);
  showDoubts(data.result.double_votes);
  showReasons(films, data.result.why_no_difference);
  byId("caption-left").textContent = films[0].name;
  byId("caption-right").textContent = films[1].name;
  byId("counts").after(byId("player"));
  byId("player").hidden = false;
  pairPlayer(
    films.map((film) => `films/${film.film}`),
    data.fps,
  );
}

function verdict([first], decided) {
  if (!decided) return "Nobody has decided for a side.";
  if (data.result.double_votes?.warning)
    return "Too many votes came from one address to say which one people like better.";
  if (first.interval95[0] > 0.5) return `More people like “${first.name}” better.`;
  return "Too few votes to say which one people like better.";
}

function shareOf(film) {
  const item = make("li");
  const line = make("div", "", "share-line");
  const bar = make("div", "", "bar");
  const votes = plural(film.votes, "vote");
  const figures = film.share === null ? votes : `${votes}, ${percent(film.share)}`;
  line.append(make("span", film.name), make("span", figures, "figures"));
  item.append(line, bar);
  if (film.share === null) return item;
  const [low, high] = film.interval95;
  const [fill, interval] = [make("div", "", "fill"), make("div", "", "interval")];
  fill.style.width = `${100 * film.share}%`;
  interval.style.left = `${100 * low}%`;
  interval.style.width = `${100 * (high - low)}%`;
  bar.append(fill, make("div", "", "half"), interval);
  item.append(make("div", `95 % interval: ${percent(low)} to ${percent(high)}`, "quiet"));
  return item;
}

function counts({ votes, decided, no_difference, chose_left, chose_right }) {
  return (
    `${plural(votes, "vote")}, of which ${decided} for a side and ${no_difference} “no difference”. ` +
    `Shares count the votes for a side; the interval (Wilson's) holds the share among all people with 95 % confidence. ` +
    `${chose_left} chose the film on their left, ${chose_right} the one on their right.`
  );
}

function showDoubts(doubts) {
  byId("warning").textContent = doubts.warning ?? "";
  byId("warning").hidden = !doubts.warning;
  byId("not-excluded").append(...doubts.not_excluded.map((kind) => make("li", kind)));
  const { addresses, most_from_one_address: most, most_a_minute_from_one_address: rate } = doubts;
  const from = plural(addresses, "address", "addresses");
  byId("addresses").textContent = addresses
    ? `Votes came from ${from}: ${most} at most from one, and ${rate} at most from one within a minute.`
    : "";
}

function showReasons(films, noDifference) {
  const groups = films.map((film) => [`Why “${film.name}”`, film.why]);
  for (const [title, words] of [...groups, ["Why no difference", noDifference]]) {
    if (words.length)
      byId("words").append(make("h2", title), ...words.map((word) => make("blockquote", word)));
  }
}

byId("question").textContent = data.question;
({ vote: showVote, code: showCode, result: showResult, notice: showNotice })[data.mode]();
