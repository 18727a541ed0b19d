/* A digit of one's own, as MNIST would have it: strokes as ink, and what utils/own_digits.py does with ink. */

import { clamp } from "./numbers.js";

export const SIDE = 28;
const FINE = 5; // ink is drawn five times as fine as an image
export const PAD = SIDE * FINE;
const RADIUS = 5.5; // of the pen, in fine pixels
const SOFT = 2; // width of a stroke's edge, in fine pixels

/** The distance from a point to the stretch between two points. */
function distance(x, y, [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = clamp(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
}

/** Lays a stretch of a stroke into ink [PAD * PAD]; its ends are in [0, 1]^2, x to the right and y down. */
export function inkLine(ink, from, to) {
  const [start, end] = [from, to].map((point) => point.map((value) => value * PAD));
  const reach = RADIUS + SOFT;
  const [left, top] = [0, 1].map((i) => Math.max(0, Math.floor(Math.min(start[i], end[i]) - reach)));
  const [right, bottom] = [0, 1].map((i) => Math.min(PAD, Math.ceil(Math.max(start[i], end[i]) + reach)));
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const outside = distance(x + 0.5, y + 0.5, start, end) - RADIUS;
      const place = y * PAD + x;
      ink[place] = Math.max(ink[place], clamp(0.5 - outside / SOFT, 0, 1));
    }
  }
}

/** Ink of strokes, [[x, y], ...] each. */
export function inkOf(strokes) {
  const ink = new Float64Array(PAD * PAD);
  for (const stroke of strokes) stroke.forEach((point, i) => inkLine(ink, stroke[Math.max(0, i - 1)], point));
  return ink;
}

/** For each pixel of a side made shorter or longer: the first pixel that it averages, and the one after the last. */
function boxes(from, to) {
  const scale = from / to;
  const half = Math.max(scale, 1) / 2;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const inside = (j) => j + 0.5 - centre > -half && j + 0.5 - centre <= half;
    const places = Array.from({ length: from }, (_, j) => j).filter(inside);
    return [places[0], places.at(-1) + 1];
  });
}

/** The rectangle of ink that holds all above 0.2: {top, left, height, width}; null if there is none. */
function boundingBox(ink) {
  let [top, left, bottom, right] = [PAD, PAD, -1, -1];
  for (let place = 0; place < ink.length; place++) {
    if (ink[place] <= 0.2) continue;
    const [row, column] = [Math.floor(place / PAD), place % PAD];
    [top, bottom] = [Math.min(top, row), row];
    [left, right] = [Math.min(left, column), Math.max(right, column)];
  }
  return bottom < 0 ? null : { top, left, height: bottom + 1 - top, width: right + 1 - left };
}

/** Rounds as Python does, halves to even. */
function round(value) {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + (down % 2) : Math.round(value);
}

/** The ink in the rectangle at a size of height x width, each pixel the mean of those that it covers. */
function resize(ink, box, height, width) {
  const [rows, columns] = [boxes(box.height, height), boxes(box.width, width)];
  const small = new Float64Array(height * width);
  rows.forEach(([top, bottom], i) => {
    columns.forEach(([left, right], j) => {
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) sum += ink[(box.top + y) * PAD + box.left + x];
      }
      small[i * width + j] = sum / ((bottom - top) * (right - left));
    });
  });
  return small;
}

/** As numpy.quantile has it: between two values in proportion. */
export function quantile(values, share) {
  const sorted = values.slice().sort();
  const place = share * (sorted.length - 1);
  const [low, high] = [Math.floor(place), Math.ceil(place)].map((i) => sorted[i]);
  return low + (place - Math.floor(place)) * (high - low);
}

/** Ink as an image [784]: scaled to a box of 20 x 20, its mass centred on row and column 14 (LeCun et al. 1998). */
export function toMnist(ink) {
  const image = new Float64Array(SIDE * SIDE);
  const box = boundingBox(ink);
  if (!box) return image;
  const scale = 20 / Math.max(box.height, box.width);
  const [height, width] = [box.height, box.width].map((size) => Math.max(1, round(size * scale)));
  const blurred = resize(ink, box, height, width);
  const white = quantile(
    blurred.filter((value) => value > 0),
    0.9,
  ); // most of a stroke's inside is white
  const small = blurred.map((value) => clamp(value / white, 0, 1));
  const total = small.reduce((a, b) => a + b);
  const centre = [0, 0];
  small.forEach((value, place) => {
    centre[0] += (Math.floor(place / width) * value) / total;
    centre[1] += ((place % width) * value) / total;
  });
  const [top, left] = [height, width].map((size, axis) => clamp(round(14 - centre[axis]), 0, SIDE - size));
  small.forEach((value, place) => {
    image[(top + Math.floor(place / width)) * SIDE + left + (place % width)] = value;
  });
  return image;
}

/** Ink at the place where it was drawn, as an image [784]: for strokes over a digit that is there already. */
export function inPlace(ink) {
  return resize(ink, { top: 0, left: 0, height: PAD, width: PAD }, SIDE, SIDE);
}
