/* What a snapshot shows, drawn: codes and images, outputs and confusion, weights, Gaussians; and the curve of all. */

import { Chart, Plane, channels, label, multiples, niceStep, showImages, write } from "../explorer/canvas.js";
import { paintPrior, stampCodes } from "../explorer/cloud.js";
import { byId, color, number, word } from "../explorer/page.js";
import { REACH, SIDE } from "./run.js";

const HALF = 4; // of the plane of codes, where they are not further out
const state = { own: null, slide: null, edited: false, data: null, program: null };
let [plane, curve, confusion, gaussians] = [];

export function startViews(data) {
  state.data = data;
  plane = new Plane(byId("codes"), { centre: [0, 0], half: HALF }, paintCodes);
  curve = new Chart(byId("curve"), paintCurve);
  confusion = new Chart(byId("confusion"), paintConfusion);
  gaussians = new Plane(byId("gaussians"), { centre: [0, 0], half: 3.5 }, paintGaussians);
}

/** Shows a run, and beside it the slide's own where they differ. point: what the model makes of the reader's digit. */
export function showRun(own, slide, program, edited) {
  Object.assign(state, { own, slide, program, edited, now: own.last, then: slide.at(own.last?.seen ?? 0) });
  for (const part of document.querySelectorAll("[data-view]"))
    part.hidden = !part.dataset.view.split(" ").includes(program.view);
  const beside = edited && program.view === "codes"; // the slide's own grid, and the curve by its side
  byId("ghost-box").hidden = !beside;
  byId("curve-box").className = beside ? "" : "wide";
  if (!state.now) return; // what is there stays, pale
  curve.request();
  if (program.view === "codes") showCodes();
  if (program.view === "classes") (showAnswers(byId("answers"), state.now), confusion.request());
  if (program.view === "weights") showWeights();
  if (program.view === "gaussians") gaussians.request();
}

function showCodes() {
  const away = [...state.now.codes].map(Math.abs).sort((a, b) => a - b);
  while (plane.view.half > HALF) plane.view.half /= 2;
  while (away[Math.floor(0.98 * away.length)] > plane.view.half) plane.view.half *= 2;
  plane.request();
  for (const [id, snapshot] of [["grid", state.now], ["ghost-grid", state.edited && state.then]])
    if (snapshot?.grid) showGrid(byId(id), snapshot.grid);
}

/** Images of bytes, 784 each, without copies, which would be many. */
const cut = (bytes, count) => Array.from({ length: count }, (_, n) => bytes.subarray(784 * n, 784 * n + 784));
const showGrid = (canvas, bytes) => showImages(canvas, cut(bytes, SIDE * SIDE), SIDE, 255);

const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, n) => [flat[2 * n], flat[2 * n + 1]]);

function paintCodes(context) {
  if (!state.now?.codes?.length) return;
  paintPrior(context, plane);
  Object.assign(context, { strokeStyle: color("line"), lineWidth: 1 });
  context.strokeRect(...plane.toPixels([-REACH, REACH]), 2 * REACH * plane.unit, 2 * REACH * plane.unit);
  stampCodes(context, plane, pairs(state.now.codes), state.data.test.labels);
  const { looked } = state.own;
  if (!looked?.mean) return;
  plane.ellipse(context, { mean: looked.mean, stddev: looked.stddev }, { stroke: "ink", width: 2 });
  label(context, "★", ...plane.toPixels(looked.mean), { size: 26 });
}

/** Ten digits, one of each class, with the outputs for it as bars; the right one is blue. */
function showAnswers(list, { answers }) {
  if (!list.children.length)
    for (let digit = 0; digit < 10; digit++) {
      const bars = `<div class="bars">${"<i></i>".repeat(10)}</div>`;
      const innerHTML = `<canvas class="image" role="img" aria-label="${digit}"></canvas>${bars}`;
      const item = Object.assign(document.createElement("li"), { innerHTML });
      const n = state.data.test.labels.indexOf(digit);
      list.append(item);
      showImages(item.firstChild, [state.data.test.pixels.subarray(784 * n, 784 * n + 784)], 1, 255);
    }
  [...list.children].forEach((item, digit) => showBars(item.lastChild, answers[digit], digit));
}

export function showBars(bars, outputs, right) {
  [...bars.children].forEach((bar, k) => {
    bar.style.height = `${100 * Math.min(1, Math.max(0.02, outputs[k]))}%`;
    bar.className = k === right ? "right" : "";
    bar.title = `${k}: ${number(outputs[k], 3)}`;
  });
}

/** Labels down, answers across; a square is as dark as the share of its label's images. */
function paintConfusion(context, width) {
  if (!state.now?.confusion) return;
  const cell = width / 11;
  for (let row = 0; row < 10; row++) {
    const style = { align: "center", fill: "soft", size: 13 };
    write(context, String(row), cell / 2, cell * (row + 0.5), style);
    write(context, String(row), cell * (row + 1.5), cell * 10.5, style);
    const counts = state.now.confusion.subarray(10 * row, 10 * row + 10);
    const total = counts.reduce((a, b) => a + b, 0) || 1;
    counts.forEach((count, column) => {
      context.fillStyle = color(row === column ? "blue" : "orange");
      context.globalAlpha = Math.sqrt(count / total);
      context.fillRect(cell * (column + 1), cell * row, cell - 1, cell - 1);
      context.globalAlpha = 1;
      const style = { align: "center", size: 12, fill: count > total / 4 ? "paper" : "ink" };
      if (count && cell > 22) write(context, String(count), cell * (column + 1.5), cell * (row + 0.5), style);
    });
  }
}

/** Means in orange for a digit and in blue against it; stddevs from 0.01, paper, to 1, ink, by their logarithm. */
function showWeights() {
  const [mean, stddev] = state.now.weights;
  if (!mean || !stddev) return;
  const most = [...mean.subarray(0, 7840)].map(Math.abs).sort((a, b) => a - b)[7800] || 1;
  paintPixels(byId("weight-means"), (pixel, k) => mean[10 * pixel + k] / most, ["blue", "paper", "orange"]);
  const height = (pixel, k) => 1 + Math.log10(Math.max(stddev[10 * pixel + k], 0.01)) / 2;
  paintPixels(byId("weight-stddevs"), height, ["paper", "paper", "ink"]);
}

function paintPixels(canvas, value, names) {
  Object.assign(canvas, { width: 5 * 29 - 1, height: 2 * 29 - 1 });
  const [context, [low, middle, high]] = [canvas.getContext("2d"), names.map(channels)];
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let k = 0; k < 10; k++)
    for (let pixel = 0; pixel < 784; pixel++) {
      const at = ((29 * Math.floor(k / 5) + Math.floor(pixel / 28)) * canvas.width + 29 * (k % 5) + (pixel % 28)) * 4;
      const share = Math.max(-1, Math.min(1, value(pixel, k)));
      const end = share < 0 ? low : high;
      for (let i = 0; i < 3; i++) picture.data[at + i] = middle[i] + Math.abs(share) * (end[i] - middle[i]);
      picture.data[at + 3] = 255;
    }
  context.putImageData(picture, 0, 0);
}

/** Two of the ten outputs, those of the largest means: dist, its samples, and other. */
function paintGaussians(context, plane) {
  const found = state.now?.gaussians;
  if (!found?.mean.length) return;
  const size = (i) => Math.abs(found.mean[i]);
  const largest = [...found.mean.keys()].sort((i, j) => size(j) - size(i));
  const axes = largest.slice(0, 2).sort((i, j) => i - j);
  const two = (values) => axes.map((i) => values[i]);
  plane.view.names = axes;
  found.samples.forEach((sample) => plane.dot(context, two(sample), 2, "soft"));
  const other = { mean: two(found.other_mean), stddev: two(found.other_stddev) };
  plane.ellipse(context, other, { stroke: "orange", width: 3, dash: [8, 5] });
  plane.ellipse(context, { mean: two(found.mean), stddev: two(found.stddev) }, { stroke: "blue", width: 3 });
}

/** The program's measure by images seen: the run in blue, the slide's own in grey dashes. */
function paintCurve(context, width, height) {
  if (!state.program || !state.own.last) return;
  const { curve: name, view, limit: early } = state.program;
  const lines = [[state.own, name, "blue", []]];
  if (view === "gaussians") lines.unshift([state.own, "kl", "orange", [6, 5]]);
  if (state.edited) lines.unshift([state.slide, name, "soft", [6, 5]]);
  const points = lines.map(([{ history }, key]) => history.map(({ seen, slide }) => [seen, slide[key]]));
  const settled = points.flat().filter(([seen, value]) => seen >= early / 60 && Number.isFinite(value));
  const values = (settled.length ? settled : points.flat()).map(([, value]) => value);
  const step = niceStep(Math.max(...values) - Math.min(...values) || 0.1, 4);
  const [least, most] = [Math.floor(Math.min(...values) / step) * step, Math.ceil(Math.max(...values) / step) * step];
  const limit = Math.max(state.own.limit, state.own.last.seen);
  const [left, right, top, bottom] = [52, 12, 10, 24];
  const x = (seen) => left + ((width - left - right) * seen) / limit;
  const y = (value) => top + (height - top - bottom) * Math.min(1, Math.max(0, (most - value) / (most - least)));
  for (const value of multiples(least, most, step)) {
    context.fillStyle = color("grid");
    context.fillRect(left, y(value), width - left - right, 1);
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    write(context, number(value, digits), left - 6, y(value), { align: "right", fill: "soft", size: 13 });
  }
  for (const seen of multiples(0, limit, niceStep(limit, width / 110))) {
    const place = Math.min(x(seen), width - 26);
    write(context, seen.toLocaleString(), place, height - 10, { align: "center", fill: "soft", size: 13 });
  }
  lines.forEach(([, , stroke, dash], n) => {
    Object.assign(context, { strokeStyle: color(stroke), lineWidth: 2.5 });
    context.setLineDash(dash);
    context.beginPath();
    for (const [seen, value] of points[n]) if (Number.isFinite(value)) context.lineTo(x(seen), y(value));
    context.stroke();
  });
  context.setLineDash([]);
}
