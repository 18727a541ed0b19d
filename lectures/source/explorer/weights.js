/* Part 4, slides 11 and 27-29: a digit through twenty draws of weights, and entropy in its two parts. */

import { clamp, unpack } from "./numbers.js";
import { byId, color, inNextFrame, number, whenRedrawn, word } from "./page.js";
import { recorded } from "./recorded.js";
import { Chart, fillStriped, write } from "./canvas.js";
import { CHANGES, Pad, announceNumbers, describeDigit, digit } from "./pad.js";
import { BayesianNetwork, splitEntropy } from "./bayesian_network.js";

const DRAWS = 20;
const LARGEST = Math.log(10); // entropy of ten equally probable classes

const weights = Object.entries(recorded.bayesian_network).map(([name, packed]) => [name, unpack(packed)]);

export const network = new BayesianNetwork(Object.fromEntries(weights));

const state = { seed: 1, draws: network.drawWeights(DRAWS, 1), prediction: null };

let dots;
let bar;

function drawAgain() {
  state.seed += 1;
  state.draws = network.drawWeights(DRAWS, state.seed);
  predict();
}

function predict() {
  state.prediction = network.predict(digit.image, state.draws);
  Object.assign(state, splitEntropy(state.prediction));
  show();
}

function show() {
  describeDigit();
  dots.request();
  bar.request();
  const shown = { entropy: state.entropy, expected: state.expected_entropy, mutual: state.mutual_information };
  const texts = Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, number(value)]));
  for (const [name, text] of Object.entries(texts)) byId(`weights-${name}`).textContent = text;
  const likely = state.probabilities.indexOf(Math.max(...state.probabilities));
  const percent = number(100 * state.probabilities[likely], 0);
  const { label } = digit.named.key === "digit.test" && digit.strokes.length === 0 ? digit.named.values : {};
  const key = label === undefined || label === likely ? "weights.answer" : "weights.wrong";
  const answer = word(key, { digit: likely, percent, label });
  byId("weights-answer").textContent = digit.empty ? word("digit.none") : answer;
  announceNumbers("weights-said", `${answer} ${word("weights.said", texts)}`);
}

/** A column for each class, a dot for each draw's probability, a line at their mean. */
function paintDots(context, width, height) {
  const [left, right, top, bottom] = [44, 8, 14, 44];
  const column = (width - left - right) / 10;
  const y = (probability) => height - bottom - (height - top - bottom) * probability;
  for (const level of [0, 0.25, 0.5, 0.75, 1]) {
    context.fillStyle = color("grid");
    context.fillRect(left, y(level), width - left - right, 1);
    write(context, String(level), left - 8, y(level), { align: "right", fill: "soft", size: 13 });
  }
  for (let k = 0; k < 10; k++) {
    const middle = left + column * (k + 0.5);
    write(context, String(k), middle, height - bottom + 18, { align: "center", bold: true, size: 17 });
    if (digit.empty || !state.prediction) continue;
    state.prediction.forEach((draw, n) => {
      const x = middle + column * 0.7 * (n / (DRAWS - 1) - 0.5);
      Object.assign(context, { fillStyle: color("blue"), strokeStyle: color("paper"), lineWidth: 1 });
      context.beginPath();
      context.arc(x, y(draw[k]), clamp(column / 16, 2.5, 5), 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    });
    paintMean(context, middle - column * 0.44, y(state.probabilities[k]), column * 0.88);
  }
}

function paintMean(context, left, y, width) {
  context.fillStyle = color("paper");
  context.fillRect(left, y - 3, width, 6);
  context.fillStyle = color("orange");
  context.fillRect(left, y - 2, width, 4);
}

/** Entropy from 0 to ln 10: what one draw leaves open, and what the draws disagree on. */
function paintBar(context, width, height) {
  const [left, right, top, thick] = [14, 24, 4, height - 36];
  const x = (value) => left + ((width - left - right) * value) / LARGEST;
  context.strokeStyle = color("soft");
  context.lineWidth = 1;
  context.strokeRect(left, top, width - left - right, thick);
  if (!digit.empty && state.prediction) {
    context.fillStyle = color("blue");
    context.fillRect(left, top, x(state.expected_entropy) - left, thick);
    fillStriped(context, x(state.expected_entropy), top, x(state.mutual_information) - left, thick, "orange");
  }
  for (const value of [0, 0.5, 1, 1.5, 2]) {
    write(context, number(value, 1), x(value), top + thick + 17, { align: "center", fill: "soft", size: 13 });
  }
  write(context, "ln 10", x(LARGEST), top + thick + 17, { align: "center", fill: "soft", size: 13 });
}

export function startWeights() {
  new Pad(byId("weights-pad"));
  dots = new Chart(byId("dots"), paintDots);
  bar = new Chart(byId("entropy-bar"), paintBar);
  byId("draw-again").addEventListener("click", drawAgain);
  for (const [name, change] of Object.entries(CHANGES)) byId(`${name}-digit`).addEventListener("click", change);
  digit.watch(() => inNextFrame(predict));
  whenRedrawn(() => state.prediction && inNextFrame(show));
}
