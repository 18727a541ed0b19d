/* Part 1, slide 6: bound + divergence = ln P(x), for every Q that can be dragged there. */

import { HALF_MASS } from "./gaussian.js";
import { clamp } from "./numbers.js";
import { announce, byId, calm, color, inNextFrame, number, whenRedrawn, word } from "./page.js";
import { Chart, Plane, fillStriped, multiples, shade, write } from "./canvas.js";
import { Climb, evenGrid, logJoint, measure } from "./lower_bound.js";
import { SHARES, levelsFor } from "./posterior.js";

const START = { mean: [-1, 0.6], stddev: [0.4, 0.4] };
const HALF = 3; // of the plane
const NARROWEST = 0.05;
const SCALE = 12; // nats under ln P(x) that the bar shows
const STEPS = 200; // of gradient ascent
const RATE = 0.1;

/** Levels of ln P(x,z) above which those shares lie. */
const LEVELS = levelsFor({ logJoint: evenGrid(201, 6).map(logJoint) }, SHARES);

const state = { q: START, trail: [], climbing: null };

let plane;
let bar;
let posterior = null; // the exact one as painted, kept until size or theme change

function moveMean(mean) {
  stop();
  state.q = { ...state.q, mean };
  show();
}

function pull(i, code) {
  stop();
  const stddev = [...state.q.stddev];
  stddev[i] = clamp(Math.abs(code[i] - state.q.mean[i]) / HALF_MASS, NARROWEST, HALF);
  state.q = { ...state.q, stddev };
  show();
}

/** Where the handle of a stddev is: on the ellipse; on its other side, where the plane ends before it. */
function rim(i) {
  const { mean, stddev } = state.q;
  const code = [...mean];
  const away = HALF_MASS * stddev[i];
  code[i] += mean[i] + away <= HALF ? away : -away;
  return code.map((value) => clamp(value, -HALF, HALF));
}

function stop() {
  cancelAnimationFrame(state.climbing);
  Object.assign(state, { climbing: null, trail: [] });
  byId("climb").setAttribute("aria-pressed", false);
}

function startAgain() {
  stop();
  state.q = START;
  show();
}

/** Gradient ascent, a step a frame. */
function climb() {
  if (state.climbing !== null) return stop();
  stop();
  const ascent = new Climb(state.q);
  let left = STEPS;
  const step = () => {
    const steps = calm.matches ? left : 1;
    for (let i = 0; i < steps; i++) {
      state.trail.push(ascent.q.mean);
      ascent.step((RATE * left) / STEPS);
      left -= 1;
    }
    state.q = ascent.q;
    show();
    state.climbing = left > 0 ? requestAnimationFrame(step) : null;
    byId("climb").setAttribute("aria-pressed", left > 0);
  };
  return step();
}

function show() {
  inNextFrame(showNow);
}

function showNow() {
  state.numbers = measure(state.q);
  plane.request();
  bar.request();
  const { bound, divergence, logEvidence, reconstruction, kl } = state.numbers;
  const shown = { bound, divergence, evidence: logEvidence, reconstruction, kl };
  for (const [name, value] of Object.entries(shown)) byId(`bound-${name}`).textContent = number(value, 3);
  const { mean, stddev } = state.q;
  const values = {
    mean1: number(mean[0]),
    mean2: number(mean[1]),
    stddev1: number(stddev[0]),
    stddev2: number(stddev[1]),
  };
  byId("bound-q").textContent = word("bound.q", values);
  announce("bound-said", word("bound.said", { bound: number(bound), divergence: number(divergence) }));
}

function paintPlane(context) {
  posterior ??= shade(plane, LEVELS, logJoint);
  context.drawImage(posterior, 0, 0, plane.size, plane.size);
  if (state.trail.length) {
    Object.assign(context, { strokeStyle: color("blue"), lineWidth: 2 });
    context.beginPath();
    state.trail.forEach((code) => context.lineTo(...plane.toPixels(code)));
    context.stroke();
  }
  plane.ellipse(context, state.q, { stroke: "blue", width: 3.5 });
}

/** The bound from the left, the divergence on top of it, up to ln P(x), which stays. */
function paintBar(context, width, height) {
  if (!state.numbers) return;
  const { bound, logEvidence } = state.numbers;
  const lowest = logEvidence - SCALE;
  const x = (value) => 12 + ((width - 40) * (value - lowest)) / SCALE;
  const [top, thick] = [26, height - 66];
  const end = x(Math.max(bound, lowest));
  context.fillStyle = color("blue");
  context.fillRect(x(lowest), top, end - x(lowest), thick);
  fillStriped(context, end, top, x(logEvidence) - end, thick, "orange");
  context.fillStyle = color("ink");
  context.fillRect(x(logEvidence) - 2, top - 8, 4, thick + 16);
  write(context, "ln P(x)", x(logEvidence) + 24, top - 16, { align: "right", bold: true });
  if (bound < lowest) write(context, word("bound.off"), x(lowest) + 8, top - 13, { fill: "soft", size: 13 });
  for (const value of multiples(lowest, logEvidence, 2)) {
    write(context, number(value, 0), x(value), top + thick + 20, { align: "center", fill: "soft", size: 13 });
  }
}

export function startBound() {
  const box = byId("bound-plane");
  plane = new Plane(box, { centre: [0, 0], half: HALF }, paintPlane);
  bar = new Chart(byId("bound-bar"), paintBar);
  const [mean, first, second] = box.querySelectorAll(".handle");
  plane.addHandle(mean, { get: () => state.q.mean, set: moveMean, describe: () => byId("bound-q").textContent });
  [first, second].forEach((element, i) => {
    const describe = () => `σ${"₁₂"[i]} = ${number(state.q.stddev[i])}`;
    plane.addHandle(element, { get: () => rim(i), set: (code) => pull(i, code), describe });
  });
  byId("climb").addEventListener("click", climb);
  byId("bound-reset").addEventListener("click", startAgain);
  const redraw = () => {
    posterior = null;
    show();
  };
  new ResizeObserver(redraw).observe(box);
  whenRedrawn(redraw);
}
