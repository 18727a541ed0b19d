/* The Bayesian network of slides 27-29: draws of its weights, their predictions, and entropy in two parts. */

import { Random, logSumExp, softplus } from "./numbers.js";

const CLASSES = 10;

export class BayesianNetwork {
  /** Weights by TensorFlow's names, after "network/": mean [784, 10], stddev before softplus, and a bias [10]. */
  constructor(weights) {
    this.mean = weights.mean;
    this.stddev = Float64Array.from(weights.stddev, softplus);
    this.bias = weights.bias;
  }

  /** Draws of all weights from Q(weights): mean + stddev noise, an array [784 * 10] for each. */
  drawWeights(count, seed) {
    const random = new Random(seed);
    const draw = () => Float64Array.from(this.mean, (mean, i) => mean + this.stddev[i] * random.normal());
    return Array.from({ length: count }, draw);
  }

  /** P(label|image, weights) for each draw: [draws][10]. */
  predict(image, draws) {
    const inked = [...image.keys()].filter((i) => image[i] > 0);
    return draws.map((weights) => {
      const logits = Float64Array.from(this.bias);
      for (const i of inked) {
        for (let k = 0; k < CLASSES; k++) logits[k] += image[i] * weights[i * CLASSES + k];
      }
      const normalizer = logSumExp(logits);
      return [...logits].map((logit) => Math.exp(logit - normalizer));
    });
  }
}

function entropyOf(probabilities) {
  return probabilities.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0);
}

/** In nats, as studies/uncertainty.py has them: entropy = expected_entropy + mutual_information. */
export function splitEntropy(prediction) {
  const average = (values) => values.reduce((a, b) => a + b) / values.length;
  const probabilities = prediction[0].map((_, k) => average(prediction.map((draw) => draw[k])));
  const entropy = entropyOf(probabilities);
  const expected = average(prediction.map(entropyOf));
  return { probabilities, entropy, expected_entropy: expected, mutual_information: entropy - expected };
}
