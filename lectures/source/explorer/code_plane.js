/* Part 3, slides 22-26: the plane of codes, what the decoder makes of each, and how both came about. */

import { Random, unpack } from "./numbers.js";
import { announce, byId, calm, color, inNextFrame, number, point, whenRedrawn, word } from "./page.js";
import { recorded } from "./recorded.js";
import { IN_MEMORY, label, Plane, showImages } from "./canvas.js";
import { paintPrior, stampCodes } from "./cloud.js";
import { Decoder } from "./vae.js";

const HALF = 4.6; // of the plane that is shown
const ON_LINE = 11; // images
const SAMPLES = 10;
const NAME = 26; // pixels, of a digit's name at its codes

const labels = unpack(recorded.vae.labels);

/** Each recorded epoch: its number, decoder and codes [N][2]. */
export const EPOCHS = recorded.vae.by_epoch.map(({ epoch, codes, decoder }) => {
  const flat = unpack(codes);
  const weights = decoder ?? recorded.vae.decoder;
  const arrays = Object.fromEntries(Object.entries(weights).map(([name, packed]) => [name, unpack(packed)]));
  const pairs = Array.from({ length: flat.length / 2 }, (_, n) => [flat[2 * n], flat[2 * n + 1]]);
  return { epoch, decoder: new Decoder(arrays), codes: pairs };
});
const LAST = EPOCHS.length - 1;

export const decoder = EPOCHS[LAST].decoder;
export const CODES = EPOCHS[LAST].codes;

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Where a digit's name is written: the middle of its codes. */
function middleOf(codes, digit) {
  const own = codes.filter((_, n) => labels[n] === digit);
  return [0, 1].map((i) => median(own.map((code) => code[i])));
}

const state = {
  code: [-0.4, -2.2],
  ends: [
    [-2.7, 0.1],
    [1.9, -1.4],
  ],
  chosen: null, // a digit to see by itself
  shown: LAST, // epoch
  codes: CODES, // between two epochs on the move
  samples: [],
  random: new Random(1),
};

let plane;
let cloud = null; // the codes as painted, and where their names go, kept until they change
let names;

/** Codes evenly along the line from A to B. */
function alongLine() {
  const [[a1, a2], [b1, b2]] = state.ends;
  const shares = Array.from({ length: ON_LINE }, (_, i) => i / (ON_LINE - 1));
  return shares.map((share) => [a1 + share * (b1 - a1), a2 + share * (b2 - a2)]);
}

function decodeAll(codes) {
  return codes.map((code) => EPOCHS[state.shown].decoder.mean(code));
}

function showCode() {
  showImages(byId("decoded"), decodeAll([state.code]));
  byId("decoded-code").textContent = `z = ${point(state.code)}`;
}

function showLine() {
  showImages(byId("line-images"), decodeAll(alongLine()));
}

function showSamples() {
  showImages(byId("sample-images"), decodeAll(state.samples));
}

function showAll() {
  showCode();
  showLine();
  showSamples();
  plane.request();
}

/** The codes on a canvas of their own, as they change less often than what lies on them. */
function paintCloud() {
  const side = Math.round(plane.size * plane.chart.scale);
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  stampCodes(canvas.getContext("2d", IN_MEMORY), plane, state.codes, labels, state.chosen);
  return canvas;
}

function paintPlane(context) {
  paintPrior(context, plane);
  if (!cloud) [cloud, names] = [paintCloud(), namePlaces()];
  context.drawImage(cloud, 0, 0, plane.size, plane.size);
  names.forEach((place, digit) => {
    if (state.chosen === null || state.chosen === digit) label(context, digit, ...place, { size: NAME });
  });
  Object.assign(context, { strokeStyle: color("ink"), lineWidth: 2 });
  context.beginPath();
  plane.trace(context, ...state.ends);
  context.stroke();
  alongLine().forEach((code) => plane.dot(context, code, 3, "ink"));
  state.samples.forEach((code) => paintSample(context, plane.toPixels(code)));
}

/** Where the digits' names are written, in pixels: at their codes, but pushed off one another. */
function namePlaces() {
  const places = Array.from({ length: 10 }, (_, digit) => plane.toPixels(middleOf(state.codes, digit)));
  for (let round = 0; round < 30; round++) {
    for (const [n, place] of places.entries()) {
      for (const other of places.slice(0, n)) pushOff(place, other);
    }
  }
  return places;
}

function pushOff(place, other) {
  const [dx, dy] = [place[0] - other[0] || 0.1, place[1] - other[1]];
  const apart = Math.hypot(dx, dy);
  if (apart >= NAME) return;
  const share = (0.3 * (NAME - apart)) / apart;
  place[0] += share * dx;
  place[1] += share * dy;
  other[0] -= share * dx;
  other[1] -= share * dy;
}

function paintSample(context, [x, y]) {
  Object.assign(context, { fillStyle: color("orange"), strokeStyle: color("paper"), lineWidth: 2 });
  context.beginPath();
  context.moveTo(x, y - 8);
  context.lineTo(x + 8, y);
  context.lineTo(x, y + 8);
  context.lineTo(x - 8, y);
  context.closePath();
  context.fill();
  context.stroke();
}

/** Moves the codes to those of an epoch, in half a second unless the reader wants no motion. */
function moveCodes(to) {
  const from = state.codes;
  const start = performance.now();
  const step = () => {
    const share = calm.matches ? 1 : Math.min(1, (performance.now() - start) / 500);
    const eased = share * share * (3 - 2 * share);
    if (state.shown !== to) return; // the reader has gone on
    const target = EPOCHS[to].codes;
    state.codes =
      share === 1
        ? target
        : target.map(([x, y], n) => [from[n][0] + eased * (x - from[n][0]), from[n][1] + eased * (y - from[n][1])]);
    cloud = null;
    plane.request();
    if (share < 1) requestAnimationFrame(step);
  };
  step();
}

function showEpoch(index) {
  state.shown = index;
  byId("epoch").value = index;
  const { epoch } = EPOCHS[index];
  byId("epoch-shown").textContent = epoch;
  byId("epoch").setAttribute("aria-valuetext", word("plane.epoch_is", { epoch }));
  moveCodes(index);
  showAll();
}

function play() {
  clearInterval(state.playing);
  showEpoch(0);
  state.playing = setInterval(() => {
    if (state.shown === LAST) clearInterval(state.playing);
    else showEpoch(state.shown + 1);
  }, 1400);
}

export function moveTo(code) {
  state.code = code;
  inNextFrame(showCode);
  plane.request();
  announce("plane-said", `z = ${point(code)}`);
}

function moveEnd(which, code) {
  state.ends[which] = code;
  inNextFrame(showLine);
  plane.request();
}

function sample() {
  state.samples = state.random.codes(SAMPLES);
  showSamples();
  plane.request();
}

function makeHandles(box) {
  const [free, first, second] = box.querySelectorAll(".handle");
  const describe = (code) => () => `z = ${point(code())}`;
  plane.addHandle(free, { get: () => state.code, set: moveTo, describe: describe(() => state.code) });
  [first, second].forEach((element, which) => {
    const get = () => state.ends[which];
    plane.addHandle(element, { get, set: (code) => moveEnd(which, code), describe: describe(get) });
  });
  const follow = (event) => (event.pointerType === "mouse" || event.buttons) && moveTo(plane.toCode(event));
  for (const kind of ["pointerdown", "pointermove"]) box.querySelector("canvas").addEventListener(kind, follow);
}

function makeLegend(list) {
  for (let digit = 0; digit < 10; digit++) {
    const button = document.createElement("button");
    button.textContent = digit;
    button.style.setProperty("--hue", `var(--digit-${digit})`);
    whenRedrawn(() => button.setAttribute("aria-label", word("plane.only", { digit })));
    button.addEventListener("click", () => {
      state.chosen = state.chosen === digit ? null : digit;
      [...list.children].forEach((child, n) => child.setAttribute("aria-pressed", n === state.chosen));
      cloud = null;
      plane.request();
    });
    button.setAttribute("aria-pressed", false);
    list.append(button);
  }
}

export function startCodePlane() {
  const box = byId("code-plane");
  plane = new Plane(box, { centre: [0, 0], half: HALF }, paintPlane);
  makeHandles(box);
  makeLegend(byId("plane-digits"));
  byId("epoch").max = LAST;
  byId("epoch").addEventListener("input", (event) => {
    clearInterval(state.playing);
    showEpoch(Number(event.target.value));
  });
  byId("play").addEventListener("click", play);
  byId("sample").addEventListener("click", sample);
  sample();
  const redraw = () => {
    cloud = null;
    showEpoch(state.shown);
  };
  new ResizeObserver(redraw).observe(box);
  whenRedrawn(redraw);
}
