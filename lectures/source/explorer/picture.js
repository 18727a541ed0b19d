/* A digit in a picture file, drawn, scanned or photographed, as MNIST would have it: as utils/own_digits.py reads one. */

import { PAD, quantile, toMnist } from "./drawing.js";

const FAINT = 0.15; // of the way from black to white: strokes that differ less from the paper are none

/** The digit in a picture, dark on light or light on dark, as an image [784]; 0 where there is none. */
export async function readPicture(file) {
  const picture = await createImageBitmap(file);
  const scale = PAD / Math.max(picture.width, picture.height);
  const [width, height] = [picture.width, picture.height].map((size) => Math.max(1, Math.round(size * scale)));
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  Object.assign(context, { imageSmoothingQuality: "high", fillStyle: "white" }); // which shows where it is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const grey = (_, i) => (0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) / 255;
  const strokes = takeOffPaper(Float64Array.from({ length: width * height }, grey), width, height);
  const most = strokes.reduce((a, b) => Math.max(a, b));
  const ink = new Float64Array(PAD * PAD);
  const places = most < FAINT ? [] : largestBlob(strokes.map((value) => Number(value > most / 3)), width, height);
  for (const place of places) ink[Math.floor(place / width) * PAD + (place % width)] = strokes[place] / most;
  return toMnist(ink);
}

/** Joins each pixel with those that are at most so far from it, in rows and then in columns; the border is a mirror. */
function joinNear(values, width, height, reach, join, start) {
  const inRows = (values, width, height) => {
    const turned = new Float64Array(values.length);
    for (let place = 0; place < values.length; place++) {
      const [row, column] = [Math.floor(place / width), place % width];
      let joined = start;
      for (let away = -reach; away <= reach; away++) {
        const [at, round] = [(column + away + 4 * width * reach) % (2 * width), 2 * width - 1];
        joined = join(joined, values[row * width + Math.min(at, round - at)], away);
      }
      turned[column * height + row] = joined;
    }
    return turned;
  };
  return inRows(inRows(values, width, height), height, width);
}

const larger = (a, b) => Math.max(a, b);
const smaller = (a, b) => Math.min(a, b);
function blur(values, width, height, stddev) {
  const weight = (away) => Math.exp(-0.5 * (away / stddev) ** 2);
  const reach = Math.floor(4 * stddev + 0.5);
  let total = 0;
  for (let away = -reach; away <= reach; away++) total += weight(away);
  return joinNear(values, width, height, reach, (sum, value, away) => sum + (value * weight(away)) / total, 0);
}

/** How much each pixel differs from the paper around it, which is guessed, under a stroke, from what is beside that. */
function takeOffPaper(grey, width, height) {
  const [low, middle, high] = [0.002, 0.5, 0.998].map((share) => quantile(grey, share));
  const dark = middle - low > high - middle ? grey : grey.map((value) => 1 - value); // strokes dark on light paper
  const wide = Math.max(3, Math.round(Math.min(width, height) / 3) | 1); // wider than strokes are
  const light = joinNear(blur(dark, width, height, 1), width, height, wide >> 1, larger, -1);
  const paper = blur(joinNear(light, width, height, wide >> 1, smaller, 2), width, height, wide / 6);
  return blur(dark, width, height, 0.7).map((value, place) => Math.max(0, paper[place] - value));
}

/** Of strokes, 0 or 1 each, the places of the largest blob; small gaps do not part it. */
function largestBlob(strokes, width, height) {
  const gap = 1 + Math.floor(Math.min(width, height) / 25);
  const joined = joinNear(strokes, width, height, gap, larger, 0);
  let largest = [];
  for (let start = 0; start < joined.length; start++) {
    const [open, blob] = [joined[start] ? [start] : [], []];
    joined[start] = 0;
    while (open.length) {
      const place = open.pop();
      if (strokes[place]) blob.push(place);
      for (const beside of [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1]) {
        const near = Math.abs(((place + beside) % width) - (place % width)) <= 1;
        if (near && joined[place + beside]) open.push(place + beside);
        if (near && joined[place + beside]) joined[place + beside] = 0;
      }
    }
    if (blob.length > largest.length) largest = blob;
  }
  return largest;
}
