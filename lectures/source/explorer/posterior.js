/* Slide 5: ln P(x) and the exact P(z|x) of an image, summed over a grid of codes that is refined where the mass is. */

import { fromVariables, gradientByVariables, logDensity, logPrior, toVariables } from "./gaussian.js";
import { Adam } from "./numbers.js";

const COARSE = 0.1; // spacing of the first grid
const HALF_WIDTH = 60; // of it, in spacings: 6, as evidence.code_grid has it
const FINEST = 7; // times that the spacing may be halved
const ENOUGH = 300; // codes that must matter before a grid is fine enough
const MATTERS = [40, 20]; // nats below the largest ln P(x,z) that still matter, by grid: peaks hide from a coarse one
const MATTERS_LATER = 16;
export const SHARES = [0.99, 0.9, 0.5]; // of the mass, that the regions hold which are drawn

/** What grids of codes share for all images: the decoder's normalizer at each code that was asked for. */
export class CodeGrid {
  constructor(decoder) {
    this.decoder = decoder;
    this.known = new Map();
    this.side = 2 * HALF_WIDTH + 1;
    this.coarse = new Float64Array(this.side ** 2);
    this.prepared = 0; // of the coarse grid
  }

  /** Computes the next codes of the coarse grid, for some milliseconds or to the end; whether that is reached. */
  prepare(milliseconds = Infinity) {
    const end = performance.now() + milliseconds;
    while (this.prepared < this.coarse.length && performance.now() < end) {
      this.coarse[this.prepared] = this.decoder.logNormalizer(this.coarseCode(this.prepared));
      this.prepared += 1;
    }
    return this.prepared === this.coarse.length;
  }

  coarseCode(index) {
    const row = Math.floor(index / this.side);
    return [COARSE * (row - HALF_WIDTH), COARSE * (index - row * this.side - HALF_WIDTH)];
  }

  /** At place [i, j] of the grid of some halvings, whose code and key are given. */
  logNormalizer(i, j, halvings, code, key) {
    if (halvings === 0 && Math.abs(i) <= HALF_WIDTH && Math.abs(j) <= HALF_WIDTH) {
      return this.coarse[(i + HALF_WIDTH) * this.side + j + HALF_WIDTH];
    }
    if (!this.known.has(key)) {
      if (this.known.size > 200_000) this.known.clear(); // some tens of megabytes
      this.known.set(key, this.decoder.logNormalizer(code));
    }
    return this.known.get(key);
  }

  /** The exact posterior of an image: {logEvidence, cell, codes [N][2], logJoint [N], spacing}. */
  posterior(image) {
    this.prepare();
    const joint = new Joint(this, this.decoder.project(image));
    let level = new Level(joint, 0, this.coarsePeaks(joint));
    while (level.mattering(MATTERS_LATER).length < ENOUGH && level.halvings < FINEST) level = level.halve();
    return level.sum();
  }

  /** The places on the coarse grid that matter, [i, j]. */
  coarsePeaks(joint) {
    const values = this.coarse.map((normalizer, index) => joint.at(this.coarseCode(index), normalizer));
    const least = values.reduce((a, b) => Math.max(a, b)) - MATTERS[0];
    const peaks = [];
    values.forEach((value, index) => {
      const row = Math.floor(index / this.side);
      if (value > least) peaks.push([row - HALF_WIDTH, index - row * this.side - HALF_WIDTH]);
    });
    return peaks;
  }
}

/** ln P(x,z) of one image. */
class Joint {
  constructor(grid, projected) {
    Object.assign(this, { grid, projected });
  }

  at(code, logNormalizer) {
    return this.grid.decoder.logLikelihood(this.projected, code, logNormalizer) + logPrior(code);
  }
}

/** A grid of one spacing, of which only the codes that matter, and those beside them, are looked at. */
class Level {
  constructor(joint, halvings, places) {
    Object.assign(this, { joint, halvings, spacing: COARSE / 2 ** halvings, points: new Map(), largest: -Infinity });
    places.forEach(([i, j]) => this.look(i, j));
    this.grow();
  }

  /** Computes ln P(x,z) at a place unless it is known; the place, if that was new. */
  look(i, j) {
    const scale = 2 ** (FINEST - this.halvings);
    const key = (i * scale + 2 ** 20) * 2 ** 21 + j * scale + 2 ** 20;
    if (this.points.has(key)) return null;
    const code = [i * this.spacing, j * this.spacing];
    const logNormalizer = this.joint.grid.logNormalizer(i, j, this.halvings, code, key);
    const value = this.joint.at(code, logNormalizer);
    const point = { i, j, code, value };
    this.points.set(key, point);
    this.largest = Math.max(this.largest, value);
    return point;
  }

  /** How far below the largest a value still matters on this grid. */
  get reach() {
    return MATTERS[this.halvings] ?? MATTERS_LATER;
  }

  mattering(reach = this.reach) {
    return [...this.points.values()].filter(({ value }) => value > this.largest - reach);
  }

  /** Looks at the neighbours of what matters until none is new: uphill, too, and past the coarse grid's rim. */
  grow() {
    let edge = this.mattering();
    while (edge.length) {
      const found = edge.flatMap(({ i, j }) => around(i, j).map(([k, l]) => this.look(k, l)));
      edge = found.filter((point) => point && point.value > this.largest - this.reach);
    }
  }

  halve() {
    const places = this.mattering().flatMap(({ i, j }) => around(2 * i, 2 * j));
    return new Level(this.joint, this.halvings + 1, places);
  }

  sum() {
    const points = [...this.points.values()];
    const [codes, logJoint] = [points.map(({ code }) => code), points.map(({ value }) => value)];
    const mass = logJoint.reduce((total, value) => total + Math.exp(value - this.largest), 0);
    const logEvidence = this.largest + Math.log(mass * this.spacing ** 2);
    return { logEvidence, codes, logJoint, spacing: this.spacing, peaks: this.peaks() };
  }

  /** Q at each hump within 6 nats of the highest: its top, and the stddev that its curvature stands for. */
  peaks() {
    const byPlace = new Map([...this.points.values()].map((point) => [`${point.i} ${point.j}`, point.value]));
    const value = (i, j) => byPlace.get(`${i} ${j}`) ?? -Infinity;
    const tops = this.mattering().filter(
      (point) =>
        point.value > this.largest - 6 && around(point.i, point.j).every(([k, l]) => value(k, l) <= point.value),
    );
    return tops.map(({ i, j, code, value: top }) => {
      const bends = [value(i - 1, j) + value(i + 1, j), value(i, j - 1) + value(i, j + 1)].map((sum) => 2 * top - sum);
      return { mean: code, stddev: bends.map((bend) => this.spacing / Math.sqrt(Math.max(bend, 0.01))) };
    });
  }
}

function around(i, j) {
  const steps = [-1, 0, 1];
  return steps.flatMap((k) => steps.map((l) => [i + k, j + l]));
}

/** Between b and c, by Catmull and Rom's cubic through four even places. */
function cubic([a, b, c, d], share) {
  const bend = 2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a);
  return b + 0.5 * share * (c - a + share * bend);
}

/** A posterior's ln P(x,z) between the codes of its grid: a function of the code. */
export function heightOf({ codes, logJoint, spacing }) {
  const places = codes.map((code) => code.map((value) => Math.round(value / spacing)));
  const furthest = (pick) => [0, 1].map((i) => places.reduce((found, place) => pick(found, place[i]), places[0][i]));
  const [first, last] = [furthest(Math.min), furthest(Math.max)];
  const columns = last[1] - first[1] + 1;
  const values = new Float64Array((last[0] - first[0] + 1) * columns).fill(Math.min(...logJoint));
  places.forEach(([i, j], n) => (values[(i - first[0]) * columns + j - first[1]] = logJoint[n]));
  return (code) => {
    const [x, y] = [0, 1].map((i) => code[i] / spacing - first[i]);
    const [row, column] = [Math.floor(x), Math.floor(y)];
    if (row < 1 || column < 1 || row >= last[0] - first[0] - 1 || column >= columns - 2) return -Infinity;
    const across = (place) =>
      cubic([values[place], values[place + 1], values[place + 2], values[place + 3]], y - column);
    const start = (row - 1) * columns + column - 1;
    return cubic(
      [0, 1, 2, 3].map((n) => across(start + n * columns)),
      x - row,
    );
  };
}

/** The shares of mass that regions above a level of ln P(x,z) hold: the levels for the shares. */
export function levelsFor({ logJoint }, shares) {
  const ordered = [...logJoint].sort((a, b) => b - a);
  const masses = ordered.map((value) => Math.exp(value - ordered[0]));
  const total = masses.reduce((a, b) => a + b);
  return shares.map((share) => {
    let held = 0;
    return ordered[masses.findIndex((mass) => (held += mass) >= share * total)];
  });
}

/** The bound of Q on a posterior's grid and its gradient by slide 7's variables (the score, less its mean). */
function boundOnGrid({ codes, logJoint, spacing }, variables) {
  const q = fromVariables(variables);
  const logQ = codes.map((code) => logDensity(q, code));
  const masses = logQ.map((value) => Math.exp(value) * spacing ** 2);
  const bound = masses.reduce((sum, mass, n) => sum + mass * (logJoint[n] - logQ[n]), 0);
  const [byMean, byStddev] = [
    [0, 0],
    [0, 0],
  ];
  masses.forEach((mass, n) => {
    const weight = mass * (logJoint[n] - logQ[n] - bound);
    for (const i of [0, 1]) {
      const u = (codes[n][i] - q.mean[i]) / q.stddev[i];
      byMean[i] += (weight * u) / q.stddev[i];
      byStddev[i] += (weight * (u * u - 1)) / q.stddev[i];
    }
  });
  return { bound, gradient: gradientByVariables(variables, byMean, byStddev) };
}

/** Slide 8: the Gaussian with the highest bound for a posterior, by gradient ascent from each of its humps. */
export function bestGaussian(posterior, steps = 100) {
  const ends = posterior.peaks.map((peak) => {
    const optimizer = new Adam(toVariables(peak));
    for (let step = 0; step < steps; step++) {
      const { gradient } = boundOnGrid(posterior, optimizer.parameters);
      optimizer.step(gradient, 0.1 * (1 - step / steps)); // falling to 0, as in studies/gaps.py
    }
    return { q: fromVariables(optimizer.parameters), bound: boundOnGrid(posterior, optimizer.parameters).bound };
  });
  return ends.reduce((best, end) => (end.bound > best.bound ? end : best)).q;
}
