/* tfd's distributions, as far as the slides and their edits go. Shapes are batch, then event, as in TensorFlow. */

import * as g from "./graph.js";

const { cast, lift, noise, refuse, reduceSum, repeat, reshape } = g;
const { abs, add, divide, exp, greater, log, multiply, sigmoid, softplus, square, subtract } = g.operations;
const LOG_2PI = Math.log(2 * Math.PI);

export class Distribution {
  constructor(name, { batch, event, ...rest }) {
    Object.assign(this, { name, batch, event, ...rest });
  }

  /** What a method of Python's name is, a function; an error if the distribution has none. */
  method(name) {
    refuse(!Object.hasOwn(this.methods, name), `AttributeError: this page's ${this.name} has no ${name}()`);
    return this.methods[name];
  }

  call = (name, ...values) => this.method(name)(...values);
}

const whole = (sizes) => [sizes ?? []].flat().map(Number); // of a sample, () or 10 or [2, 5]

/** Independent Gaussians by mean and stddev; `event` 1 makes a vector of the last dimension. */
function gaussian(name, loc, scale, event) {
  const [mean, stddev] = [repeat(lift(loc), lift(scale).shape), repeat(lift(scale), lift(loc).shape)];
  const { shape } = mean;
  const sum = (value) => (event ? reduceSum(value, -1) : value);
  const methods = {
    mean: () => mean,
    mode: () => mean,
    stddev: () => abs(stddev),
    variance: () => square(stddev),
    sample: (sizes) => add(mean, multiply(stddev, noise([...whole(sizes), ...shape]))),
    log_prob: (value) =>
      sum(subtract(multiply(-0.5, add(square(divide(subtract(value, mean), stddev)), LOG_2PI)), log(abs(stddev)))),
  };
  const [batch, events] = event ? [shape.slice(0, -1), shape.slice(-1)] : [shape, []];
  return new Distribution(name, { batch, event: events, mean, stddev, sum, methods });
}
export const multivariateNormalDiag = (loc, scale) => {
  refuse(lift(scale).shape.length === 0, "ValueError: scale_diag must have one dimension or more.");
  return gaussian("MultivariateNormalDiag", loc, scale, 1);
};
export const normal = (loc, scale) => gaussian("Normal", loc, scale, 0);

/** A 1 or a 0, by its logits. A grey value in between gets a cross entropy. */
export function bernoulli(logits) {
  const chance = sigmoid(logits);
  const methods = {
    mean: () => chance,
    sample: (sizes) => {
      const shape = [...whole(sizes), ...chance.shape];
      return cast(greater(repeat(chance, shape), noise(shape, "uniform")), "int32");
    },
    log_prob: (value) => subtract(multiply(value, logits), softplus(logits)),
  };
  return new Distribution("Bernoulli", { batch: chance.shape, event: [], logits, methods });
}

/** One of the classes in the last dimension of the logits. */
export function categorical(logits) {
  const logProbs = subtract(logits, g.reduceLogSumExp(logits, -1, true));
  const batch = logits.shape.slice(0, -1);
  const methods = {
    log_prob: (value) => {
      const float = lift(value).dtype === "float32";
      refuse(float, "TypeError: Categorical.log_prob takes whole numbers, the classes, not floats.");
      return reduceSum(multiply(g.oneHot(lift(value, "int32"), +logits.shape.at(-1)), logProbs), -1);
    },
    probs_parameter: () => exp(logProbs),
    logits_parameter: () => logits,
  };
  return new Distribution("Categorical", { batch, event: [], logProbs, methods });
}

/** A distribution whose last batch dimensions are one event: log_prob sums over them. */
export function independent(base, rank) {
  const says = `ValueError: reinterpreted_batch_ndims(${rank}) cannot exceed distribution.batch_ndims`;
  refuse(rank > base.batch.length, `${says}(${base.batch.length})`);
  const axes = Array.from({ length: rank }, (_, i) => -1 - i);
  const methods = {
    mean: () => base.call("mean"),
    stddev: () => base.call("stddev"),
    sample: (sizes) => base.call("sample", sizes),
  };
  methods.log_prob = (value) => pixels(base, lift(value), rank) ?? reduceSum(base.call("log_prob", value), axes);
  const cut = base.batch.length - rank;
  const [batch, event] = [base.batch.slice(0, cut), [...base.batch.slice(cut), ...base.event]];
  return new Distribution("Independent", { batch, event, base, axes, methods });
}

/** The Bernoulli's log_prob of whole images by the kernel, where it can be; else null. */
function pixels({ logits }, value, rank) {
  const alike = logits && !value.learns && String(logits.shape) === String(value.shape) && logits.shape.length > rank;
  if (!alike) return null;
  const batch = logits.shape.slice(0, -rank);
  const rows = batch.reduce((a, b) => a * b, 1);
  if ((logits.size / rows) % 4 !== 0) return null;
  return reshape(g.bernoulliLogProb(reshape(logits, [rows, -1]), reshape(value, [rows, -1])), batch);
}

/** tfd.kl_divergence, in nats. */
export function klDivergence(a, b) {
  const says = "NotImplementedError: No KL(distribution_a || distribution_b) registered for";
  refuse(a.name !== b.name || !(a.sum || a.logProbs || a.base), `${says} ${a.name} and ${b.name} on this page`);
  if (a.base) return reduceSum(klDivergence(a.base, b.base), a.axes);
  if (a.logProbs) return reduceSum(multiply(exp(a.logProbs), subtract(a.logProbs, b.logProbs)), -1);
  const [ratio, apart] = [divide(a.stddev, b.stddev), divide(subtract(a.mean, b.mean), b.stddev)];
  return a.sum(multiply(0.5, subtract(subtract(add(square(ratio), square(apart)), 1), log(square(ratio)))));
}
