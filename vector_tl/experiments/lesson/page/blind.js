// "Which is which?": the same image twice, as each twin saw it, in random order.
import { byId, setText } from "../../../web/page/dom.js";
import { drawMarks, judge } from "./marks.js";

const ARMS = ["scratch", "coco"];
const ROUNDS = 6;
const THRESHOLD = 0.3;

export function startBlind({ words, figures, fill }) {
  let rounds = [];
  let [at, right] = [0, 0];
  const letters = ["A", "B"];

  // Moments of the trainings in random order, first those at which the twins found and missed not the same.
  function moments() {
    const found = [];
    for (const one of figures.trainings.filter((training) => training.arm === ARMS[0])) {
      const other = figures.trainings.find(({ arm, images }) => arm === ARMS[1] && images === one.images);
      for (const point of one.points) {
        const twin = other?.points.find(({ images_seen }) => images_seen === point.images_seen);
        for (const [number, scene] of twin ? figures.scenes.entries() : []) {
          const marks = [point, twin].map(({ boxes }) => judge(boxes[number], scene.vectors, THRESHOLD));
          const easy = text(marks[0]) !== text(marks[1]);
          found.push({ scene, marks, rank: Math.random() - easy });
        }
      }
    }
    return found.sort((a, b) => a.rank - b.rank);
  }

  function begin() {
    const pool = moments();
    rounds = [];
    while (rounds.length < ROUNDS && pool.length) {
      const round = pool.shift();
      if (!rounds.some(({ scene }) => scene === round.scene)) {
        const order = Math.random() < 0.5 ? [0, 1] : [1, 0];
        rounds.push({ ...round, order });
      }
    }
    [at, right] = [0, 0];
    show();
  }

  function show() {
    const round = rounds[at];
    byId("blind-twins").hidden = !round;
    byId("blind-start").hidden = Boolean(round);
    for (const letter of letters) byId(`blind-${letter.toLowerCase()}`).hidden = !round;
    byId("blind-next").hidden = true;
    if (!round) return;
    setText(byId("blind-status"), fill(words.scene, { n: at + 1, of: rounds.length }));
    for (const [place, letter] of letters.entries()) {
      const figure = document.querySelector(`#blind-twins [data-letter="${letter}"]`);
      const image = figure.querySelector("img");
      image.src = round.scene.image;
      image.alt = `${letter}: ${text(round.marks[round.order[place]])}`;
      drawMarks(figure.querySelector("svg"), round.marks[round.order[place]]);
    }
  }

  function text(marks) {
    const values = { found: marks.found.length, alarms: marks.alarms.length };
    return fill(words.in_image, { ...values, vectors: marks.found.length + marks.missed.length });
  }

  function answer(place) {
    const letter = letters[rounds[at].order.indexOf(1)];
    const isRight = rounds[at].order[place] === 1;
    right += isRight;
    at += 1;
    const said = fill(isRight ? words.blind_right : words.blind_wrong, { letter });
    const of = { right, of: at, chance: Math.round(at / 2) };
    const score = at === rounds.length ? ` ${fill(words.blind_score, of)}` : "";
    setText(byId("blind-status"), said + score);
    for (const each of letters) byId(`blind-${each.toLowerCase()}`).hidden = true;
    setText(byId("blind-next"), at === rounds.length ? words.blind_again : words.blind_next);
    byId("blind-next").hidden = false;
    byId("blind-next").focus();
  }

  byId("blind-start").addEventListener("click", begin);
  byId("blind-next").addEventListener("click", () => (at === rounds.length ? begin() : show()));
  for (const [place, letter] of letters.entries())
    byId(`blind-${letter.toLowerCase()}`).addEventListener("click", () => answer(place));
}
