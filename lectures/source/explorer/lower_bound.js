/* lower_bound.py's small model: a Gaussian around a bent plane, whose posterior is bent like a banana. */

import { klFromPrior, logDensity, logPrior, toVariables, fromVariables, gradientByVariables } from "./gaussian.js";
import { Adam, logSumExp } from "./numbers.js";

const OBSERVATION = [0.8, -0.3];
const STDDEV = [1.0, 0.3]; // of P(x|z)
const BEND = 0.6;

/** ln P(x|z), in nats. */
export function logLikelihood([first, second]) {
  return logDensity({ mean: [first, second - BEND * first ** 2], stddev: STDDEV }, OBSERVATION);
}

export function logJoint(code) {
  return logLikelihood(code) + logPrior(code);
}

/** An even grid over the square [-halfWidth, halfWidth]^2, the first dimension changing slowest. */
export function evenGrid(points, halfWidth) {
  const axis = Array.from({ length: points }, (_, i) => halfWidth * ((2 * i) / (points - 1) - 1));
  return axis.flatMap((first) => axis.map((second) => [first, second]));
}

/** ln P(x): the integral of P(x,z) by the trapezoidal rule, on evidence.code_grid's codes. */
export const LOG_EVIDENCE = logSumExp(evenGrid(201, 6).map(logJoint)) + 2 * Math.log(12 / 200);

// Noise on a grid of its own, so that a Q of any width, anywhere, is summed over as finely
const NOISE = evenGrid(81, 6);
const WEIGHTS = NOISE.map((noise) => Math.exp(logPrior(noise)) * (12 / 80) ** 2);

function expectation(q, value) {
  let sum = 0;
  for (let n = 0; n < NOISE.length; n++) {
    sum += WEIGHTS[n] * value([q.mean[0] + q.stddev[0] * NOISE[n][0], q.mean[1] + q.stddev[1] * NOISE[n][1]]);
  }
  return sum;
}

/** Slide 6 in nats. The bound has its KL in closed form, so that its sum with the divergence is not true by
 * construction: the divergence is summed by itself, from the posterior's density. */
export function measure(q) {
  const reconstruction = expectation(q, logLikelihood);
  const kl = klFromPrior(q);
  const divergence = expectation(q, (code) => logDensity(q, code) - (logJoint(code) - LOG_EVIDENCE));
  return { reconstruction, kl, bound: reconstruction - kl, divergence, logEvidence: LOG_EVIDENCE };
}

/** The gradient of ln P(x|z) by the code. */
function slope([first, second]) {
  const [u, v] = [OBSERVATION[0] - first, OBSERVATION[1] - second + BEND * first ** 2];
  return [u / STDDEV[0] ** 2 - (2 * BEND * first * v) / STDDEV[1] ** 2, v / STDDEV[1] ** 2];
}

/** Gradient ascent on the bound, from a Q on. */
export class Climb {
  constructor(q) {
    this.optimizer = new Adam(toVariables(q));
  }

  get q() {
    return fromVariables(this.optimizer.parameters);
  }

  gradient() {
    const { mean, stddev } = this.q;
    const byMean = mean.map((value) => -value);
    const byStddev = stddev.map((value) => 1 / value - value);
    NOISE.forEach((noise, n) => {
      const steep = slope([mean[0] + stddev[0] * noise[0], mean[1] + stddev[1] * noise[1]]);
      for (const i of [0, 1]) {
        byMean[i] += WEIGHTS[n] * steep[i];
        byStddev[i] += WEIGHTS[n] * steep[i] * noise[i];
      }
    });
    return gradientByVariables(this.optimizer.parameters, byMean, byStddev);
  }

  step(rate) {
    this.optimizer.step(this.gradient(), rate);
  }
}
