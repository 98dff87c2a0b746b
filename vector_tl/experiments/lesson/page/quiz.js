// The quiz: an answer shows whether it was right, and why.
import { byId, setText } from "../../../web/page/dom.js";

export function startQuiz({ words, fill }) {
  let [right, done] = [0, 0];
  for (const [number, question] of words.quiz_questions.entries()) {
    const field = byId(`quiz-${number}`);
    const buttons = [...field.querySelectorAll("button")];
    for (const [choice, button] of buttons.entries())
      button.addEventListener("click", () => {
        const isRight = choice === question.right;
        done += 1;
        right += isRight;
        for (const [each, other] of buttons.entries()) {
          other.disabled = true;
          other.classList.toggle("right", each === question.right);
        }
        button.classList.toggle("chosen", true);
        const answer = question.answers[question.right];
        const said = isRight ? words.quiz_right : fill(words.quiz_wrong, { answer });
        setText(field.querySelector(".reason"), `${said} ${question.reason}`);
        setText(byId("quiz-score"), fill(words.quiz_score, { right, of: done }));
      });
  }
}
