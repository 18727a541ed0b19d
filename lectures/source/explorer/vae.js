/* The VAE of slides 22-25: its encoder Q(z|x), its decoder P(x|z), and the bound. Images are [784], codes [2]. */

import { fromVariables, gradientByVariables, klFromPrior, place, toVariables } from "./gaussian.js";
import { Adam, sigmoid, softplus } from "./numbers.js";

const PIXELS = 784;

/** Adds rows of a matrix, each times its factor, to the sums; two at a time, which takes two thirds of the time. */
function addRows(sums, matrix, rows, factors) {
  const columns = sums.length;
  for (let n = 0; n < rows.length; n += 2) {
    const [first, factor] = [rows[n] * columns, factors[n]];
    const [second, other] = n + 1 < rows.length ? [rows[n + 1] * columns, factors[n + 1]] : [first, 0];
    for (let i = 0; i < columns; i++) sums[i] += factor * matrix[first + i] + other * matrix[second + i];
  }
}

/** A dense layer without its nonlinearity; inputs that are not positive are left out, as relu and empty paper do. */
function dense(inputs, kernel, bias) {
  const sums = Float64Array.from(bias);
  const rows = [];
  inputs.forEach((value, i) => value > 0 && rows.push(i));
  addRows(
    sums,
    kernel,
    rows,
    rows.map((i) => inputs[i]),
  );
  return sums;
}

function dotRow(values, matrix, row) {
  const columns = values.length;
  const start = row * columns;
  let sum = 0;
  for (let i = 0; i < columns; i++) sum += values[i] * matrix[start + i];
  return sum;
}

export class Encoder {
  /** Weights by TensorFlow's names, after "encoder/". */
  constructor(weights) {
    this.weights = weights;
  }

  /** Q(z|x): its mean and stddev. */
  posterior(image) {
    const layer = (name, inputs) => dense(inputs, this.weights[`${name}/kernel`], this.weights[`${name}/bias`]);
    const hidden = layer("hidden", image);
    const stddev = [...layer("stddev", hidden)].map((value) => softplus(value) + 1e-6);
    return { mean: [...layer("mean", hidden)], stddev };
  }
}

export class Decoder {
  /** Weights by TensorFlow's names, after "decoder/". */
  constructor(weights) {
    this.weights = weights;
    this.toHidden = weights["hidden/kernel"]; // [2, units]
    this.hiddenBias = weights["hidden/bias"];
    this.toLogit = weights["logit/kernel"]; // [units, 784]
    this.logitBias = weights["logit/bias"];
    this.units = this.hiddenBias.length;
    this.logit = new Float64Array(PIXELS); // to work in, so that a thousand codes make no garbage
  }

  /** A unit of the hidden layer, after relu. */
  unit(k, code) {
    const sum = code[0] * this.toHidden[k] + code[1] * this.toHidden[this.units + k] + this.hiddenBias[k];
    return sum > 0 ? sum : 0;
  }

  /** The pixels' logits; the next call overwrites them. */
  logits(code) {
    const [rows, factors] = [[], []];
    for (let k = 0; k < this.units; k++) {
      const unit = this.unit(k, code);
      if (unit === 0) continue;
      rows.push(k);
      factors.push(unit);
    }
    this.logit.set(this.logitBias);
    addRows(this.logit, this.toLogit, rows, factors);
    return this.logit;
  }

  /** The mean of P(x|z): each pixel's probability of ink. */
  mean(code) {
    return this.logits(code).map(sigmoid);
  }

  /** The part of ln P(x|z) that no image enters, the sum of ln(1 + exp(logit)): one logarithm for all pixels. */
  logNormalizer(code) {
    const logits = this.logits(code);
    let sum = 0;
    let product = 1; // at most 2^784, which a double holds
    for (let i = 0; i < PIXELS; i++) {
      if (logits[i] > 0) sum += logits[i];
      product *= 1 + Math.exp(-Math.abs(logits[i]));
    }
    return sum + Math.log(product);
  }

  /** What an image adds to ln P(x|z) is linear in the hidden layer: its weights there, and a constant. */
  project(image) {
    const byUnit = Float64Array.from({ length: this.units }, (_, k) => dotRow(image, this.toLogit, k));
    return { byUnit, constant: dotRow(image, this.logitBias, 0) };
  }

  /** ln P(x|z) in nats; the normalizer may be known from before. */
  logLikelihood(projected, code, logNormalizer = this.logNormalizer(code)) {
    let sum = projected.constant - logNormalizer;
    for (let k = 0; k < this.units; k++) sum += projected.byUnit[k] * this.unit(k, code);
    return sum;
  }

  /** The gradient of ln P(x|z) by the code: [2]. */
  gradient(image, code) {
    const residual = this.logits(code);
    for (let i = 0; i < PIXELS; i++) residual[i] = image[i] - sigmoid(residual[i]);
    const slope = [0, 0];
    for (let k = 0; k < this.units; k++) {
      if (this.unit(k, code) === 0) continue;
      const byUnit = dotRow(residual, this.toLogit, k);
      slope[0] += byUnit * this.toHidden[k];
      slope[1] += byUnit * this.toHidden[this.units + k];
    }
    return slope;
  }
}

/** Slide 10: elbo = reconstruction - kl, in nats; the expectation over Q by a quadrature rule, which has no noise. */
export function measureBound(decoder, image, q, rule) {
  const projected = decoder.project(image);
  const values = place(q, rule.noise).map((code) => decoder.logLikelihood(projected, code));
  const reconstruction = values.reduce((sum, value, i) => sum + rule.weights[i] * value, 0);
  const kl = klFromPrior(q);
  return { reconstruction, kl, elbo: reconstruction - kl };
}

/** Slide 7: gradient steps on the mean and stddev of one image, the decoder fixed; z = mean + stddev noise. */
export class Inference {
  constructor(decoder, image, q, rule) {
    Object.assign(this, { decoder, image, rule, optimizer: new Adam(toVariables(q)) });
  }

  get q() {
    return fromVariables(this.optimizer.parameters);
  }

  /** The gradient of the bound by slide 7's four variables. */
  gradient() {
    const { mean, stddev } = this.q;
    const byMean = mean.map((value) => -value);
    const byStddev = stddev.map((value) => 1 / value - value);
    place(this.q, this.rule.noise).forEach((code, n) => {
      const slope = this.decoder.gradient(this.image, code);
      for (const i of [0, 1]) {
        byMean[i] += this.rule.weights[n] * slope[i];
        byStddev[i] += this.rule.weights[n] * slope[i] * this.rule.noise[n][i];
      }
    });
    return gradientByVariables(this.optimizer.parameters, byMean, byStddev);
  }

  step(rate) {
    this.optimizer.step(this.gradient(), rate);
  }
}
