/* Q(z): a Gaussian with a diagonal covariance on the plane of codes, {mean: [2], stddev: [2]}. */

import { inverseSoftplus, sigmoid, softplus } from "./numbers.js";

const LOG_2PI = Math.log(2 * Math.PI);
const SMALLEST = 1e-6; // added to softplus, which alone can reach 0: vae.py's make_encoder

export const HALF_MASS = Math.sqrt(2 * Math.log(2)); // stddevs from the mean to the ellipse that holds half the mass

/** ln P(z) of the prior N(0, I), in nats. */
export function logPrior([first, second]) {
  return -0.5 * (first * first + second * second) - LOG_2PI;
}

/** ln Q(z), in nats. */
export function logDensity({ mean, stddev }, [first, second]) {
  const [u, v] = [(first - mean[0]) / stddev[0], (second - mean[1]) / stddev[1]];
  return -0.5 * (u * u + v * v) - LOG_2PI - Math.log(stddev[0] * stddev[1]);
}

/** KL[Q || N(0, I)] in nats, in closed form. */
export function klFromPrior({ mean, stddev }) {
  const terms = [0, 1].map((i) => (mean[i] ** 2 + stddev[i] ** 2 - 1) / 2 - Math.log(stddev[i]));
  return terms[0] + terms[1];
}

/** The codes that noise [N][2] of N(0, I) stands for: z = mean + stddev noise. */
export function place({ mean, stddev }, noise) {
  return noise.map(([u, v]) => [mean[0] + stddev[0] * u, mean[1] + stddev[1] * v]);
}

/** Q as slide 7's variables hold it: the mean, and what softplus turns into the stddev. */
export function toVariables({ mean, stddev }) {
  return [...mean, ...stddev.map((value) => inverseSoftplus(value - SMALLEST))];
}

export function fromVariables([mean1, mean2, raw1, raw2]) {
  return { mean: [mean1, mean2], stddev: [softplus(raw1) + SMALLEST, softplus(raw2) + SMALLEST] };
}

/** The gradient by slide 7's variables, from that by mean and stddev. */
export function gradientByVariables(variables, byMean, byStddev) {
  return [...byMean, byStddev[0] * sigmoid(variables[2]), byStddev[1] * sigmoid(variables[3])];
}

/** Gauss-Hermite nodes and weights of N(0, 1) as a rule for N(0, I): noise [n * n][2] and weights [n * n]. */
export function squareRule({ nodes, weights }) {
  const pairs = nodes.flatMap((u, i) => nodes.map((v, j) => [u, v, weights[i] * weights[j]]));
  return { noise: pairs.map(([u, v]) => [u, v]), weights: pairs.map(([, , weight]) => weight) };
}
