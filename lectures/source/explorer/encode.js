/* Part 2, slides 5-10: Q(z|x) of a digit, the three numbers, the exact posterior, and the gaps of slide 8. */

import { place, squareRule } from "./gaussian.js";
import { Random, unpack } from "./numbers.js";
import { atRest, byId, color, inNextFrame, number, whenRedrawn, word } from "./page.js";
import { recorded } from "./recorded.js";
import { Chart, Plane, fillStriped, multiples, niceStep, shade, showImages, write } from "./canvas.js";
import { heightOf } from "./posterior.js";
import { Solver } from "./solver.js";
import { Encoder, Inference, measureBound } from "./vae.js";
import { announceNumbers, describeDigit, digit, Pad } from "./pad.js";
import { CODES, decoder } from "./code_plane.js";

const RATE = 0.03; // of the gradient steps, as in variational_inference.py
const NOISE = new Random(2).codes(40); // the same for every Q, so that the same digit shows the same samples
const SHOWN_SAMPLES = 5;

const weights = Object.entries(recorded.vae.encoder).map(([name, packed]) => [name, unpack(packed)]);

export const encoder = new Encoder(Object.fromEntries(weights));
/** For expectations over Q: codes enough while a digit is drawn, and for what is then looked at. */
export const RULES = { quick: squareRule(recorded.rules.quick), fine: squareRule(recorded.rules.fine) };

const state = { encoded: null, q: null, inference: null, trail: [], exact: null, best: null };

let solver;
let zoomed;
let overview;
let ladder;

/** What follows at once from the digit: Q(z|x), and the numbers of slide 10. */
function encode() {
  const encoded = encoder.posterior(digit.image);
  Object.assign(state, { encoded, q: encoded, inference: null, trail: [], exact: null, best: null });
  state.numbers = measureBound(decoder, digit.image, encoded, RULES.quick);
  solver.drop();
  frame();
  show();
  solveAtRest();
}

/** The exact posterior, ln P(x), and the best Gaussian, once they are known. */
function showExact(solved) {
  Object.assign(state, solved);
  if (state.trail.length === 0) state.numbers = state.atEncoder;
  frame();
  show();
}

const solveAtRest = atRest(() => digit.penDown || solver.solve(digit.image, state.encoded), 120); // not between two strokes' points

function refine(steps) {
  state.inference ??= new Inference(decoder, digit.image, state.q, RULES.quick);
  for (let i = 0; i < steps; i++) {
    state.trail.push(state.q.mean);
    state.inference.step(RATE);
    state.q = state.inference.q;
  }
  state.numbers = measureBound(decoder, digit.image, state.q, RULES.fine);
  show();
}

function startAgain() {
  Object.assign(state, { q: state.encoded, inference: null, trail: [] });
  state.numbers = measureBound(decoder, digit.image, state.q, RULES.fine);
  show();
}

/** Turns the magnifying glass to the Gaussians, and to half of the posterior's mass and more. */
function frame() {
  const gaussians = [state.encoded, state.best].filter(Boolean);
  const corners = gaussians.flatMap(({ mean, stddev }) =>
    [-3, 3].map((u) => mean.map((value, i) => value + u * stddev[i])),
  );
  if (state.exact) corners.push(...state.exact.codes.filter((_, n) => state.exact.logJoint[n] > state.levels[0]));
  const [lowest, highest] = [Math.min, Math.max].map((pick) =>
    [0, 1].map((i) => corners.reduce((found, corner) => pick(found, corner[i]), corners[0][i])),
  );
  const half = Math.max(0.05, 0.55 * Math.max(...[0, 1].map((i) => highest[i] - lowest[i])));
  state.shaded = null;
  zoomed.view = { centre: [0, 1].map((i) => (lowest[i] + highest[i]) / 2), half };
}

function show() {
  inNextFrame(showFrame);
}

function showFrame() {
  describeDigit();
  const reconstructed = decoder.mean(state.q.mean);
  showImages(byId("encoded-image"), [digit.image]);
  showImages(byId("reconstructed"), [reconstructed]);
  const samples = place(state.q, NOISE.slice(0, SHOWN_SAMPLES));
  showImages(
    byId("posterior-images"),
    samples.map((code) => decoder.mean(code)),
  );
  zoomed.request();
  overview.request();
  ladder.request();
  showNumbers();
}

function showNumbers() {
  const { reconstruction, kl, elbo } = state.numbers;
  const exact = state.exact?.logEvidence ?? null;
  const rows = {
    reconstruction,
    kl,
    elbo,
    evidence: exact,
    approximation: state.exact && exact - state.atBest.elbo,
    amortization: state.exact && state.atBest.elbo - state.atEncoder.elbo,
    now: state.exact && state.atBest.elbo - elbo,
  };
  for (const [name, value] of Object.entries(rows)) {
    byId(`encode-${name}`).textContent = value === null ? "…" : number(value);
  }
  byId("key-start").hidden = state.trail.length === 0;
  byId("steps-taken").textContent = word("encode.steps", { steps: state.trail.length });
  const said = Object.fromEntries(Object.entries(rows).map(([name, value]) => [name, number(value ?? NaN)]));
  if (state.exact) announceNumbers("encode-said", word("encode.said", said));
}

/** The exact posterior as painted, kept until it, the view or the theme change. */
function paintPosterior(context, plane) {
  state.shaded ??= shade(plane, state.levels, heightOf(state.exact));
  context.drawImage(state.shaded, 0, 0, plane.size, plane.size);
}

function paintZoomed(context, plane) {
  if (!state.q) return;
  if (state.exact) paintPosterior(context, plane);
  if (state.best) plane.ellipse(context, state.best, { stroke: "orange", width: 3, dash: [8, 5] });
  if (state.trail.length) {
    plane.ellipse(context, state.encoded, { stroke: "blue", width: 1.5, dash: [2, 4] });
    paintTrail(context, plane);
  }
  place(state.q, NOISE).forEach((code) => plane.dot(context, code, 2.5, "blue"));
  plane.ellipse(context, state.q, { stroke: "blue", width: 3 });
}

function paintTrail(context, plane) {
  Object.assign(context, { strokeStyle: color("blue"), lineWidth: 1.5 });
  context.beginPath();
  [...state.trail, state.q.mean].forEach((code) => context.lineTo(...plane.toPixels(code)));
  context.stroke();
}

/** The whole plane: all codes, and where the magnifying glass is. */
function paintOverview(context, plane) {
  context.globalAlpha = 0.35;
  CODES.forEach((code, n) => n % 3 === 0 && plane.dot(context, code, 1, "soft"));
  context.globalAlpha = 1;
  const { centre, half } = zoomed.view;
  const [left, top] = plane.toPixels([centre[0] - half, centre[1] + half]);
  const side = Math.max(6, 2 * half * plane.unit);
  Object.assign(context, { strokeStyle: color("blue"), lineWidth: 2.5 });
  context.strokeRect(left, top, side, side);
}

/** The bounds under ln P(x) on one scale of nats, and the gaps between them. */
function paintLadder(context, width, height) {
  if (!state.exact)
    return write(context, word("encode.summing"), width / 2, height / 2, { align: "center", fill: "soft" });
  const { logEvidence } = state.exact;
  const marks = [state.atEncoder.elbo, state.numbers.elbo, state.atBest.elbo, logEvidence];
  const lowest = marks.reduce((a, b) => Math.min(a, b));
  const span = Math.max(logEvidence - lowest, 0.01);
  const x = (value) => 24 + (width - 48) * (0.05 + (0.9 * (value - lowest)) / span);
  const line = height - 34;
  paintScale(context, { x, line, lowest: lowest - 0.05 * span, highest: logEvidence + 0.05 * span, width });
  paintGap(context, x(state.atEncoder.elbo), x(state.atBest.elbo), line, "orange", false);
  paintGap(context, x(state.atBest.elbo), x(logEvidence), line, "purple", true);
  paintMark(context, x(state.atEncoder.elbo), line, "circle", "blue");
  paintMark(context, x(state.atBest.elbo), line, "diamond", "orange");
  paintMark(context, x(logEvidence), line, "bar", "ink");
  if (state.trail.length) paintMark(context, x(state.numbers.elbo), line, "triangle", "blue");
  return undefined;
}

function paintScale(context, { x, line, lowest, highest, width }) {
  const step = niceStep(highest - lowest, Math.max(3, width / 140));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  Object.assign(context, { strokeStyle: color("soft"), lineWidth: 1.5 });
  context.beginPath();
  context.moveTo(x(lowest), line);
  context.lineTo(x(highest), line);
  for (const value of multiples(lowest, highest, step)) {
    context.moveTo(x(value), line);
    context.lineTo(x(value), line + 6);
    write(context, number(value, digits), x(value), line + 20, { align: "center", fill: "soft", size: 13 });
  }
  context.stroke();
}

function paintGap(context, from, to, line, name, striped) {
  const [top, height] = [line - 30, 22];
  if (striped) return fillStriped(context, from, top, to - from, height, name);
  context.fillStyle = color(name);
  return context.fillRect(from, top, to - from, height);
}

function paintMark(context, x, line, shape, name) {
  Object.assign(context, { fillStyle: color(name), strokeStyle: color("paper"), lineWidth: 2 });
  context.beginPath();
  if (shape === "circle") context.arc(x, line, 8, 0, 2 * Math.PI);
  if (shape === "bar") context.rect(x - 2.5, line - 40, 5, 48);
  if (shape === "diamond")
    [
      [0, -10],
      [10, 0],
      [0, 10],
      [-10, 0],
    ].forEach(([dx, dy]) => context.lineTo(x + dx, line + dy));
  if (shape === "triangle")
    [
      [0, -4],
      [-9, -20],
      [9, -20],
    ].forEach(([dx, dy]) => context.lineTo(x + dx, line + dy));
  context.closePath();
  context.fill();
  context.stroke();
}

export function startEncode() {
  new Pad(byId("encode-pad"));
  solver = new Solver(decoder.weights, RULES.fine, showExact);
  zoomed = new Plane(byId("zoomed"), { centre: [0, 0], half: 1 }, paintZoomed);
  overview = new Plane(byId("overview"), { centre: [0, 0], half: 4.6 }, paintOverview);
  ladder = new Chart(byId("ladder"), paintLadder);
  byId("refine").addEventListener("click", () => refine(1));
  byId("refine-ten").addEventListener("click", () => refine(10));
  byId("refine-reset").addEventListener("click", startAgain);
  const redraw = () => {
    state.shaded = null;
    if (state.q) show();
  };
  new ResizeObserver(redraw).observe(byId("zoomed"));
  whenRedrawn(redraw);
  digit.watch(() => inNextFrame(encode));
}
