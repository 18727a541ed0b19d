/* Starts the four parts, and lends what they compute to tests and to the curious, as window.explorer. */

import { byId, startLanguage, whenRedrawn, word } from "./page.js";
import { recorded } from "./recorded.js";
import { EPOCHS, decoder, moveTo, startCodePlane } from "./code_plane.js";
import { RULES, encoder, startEncode } from "./encode.js";
import { Inference, measureBound } from "./vae.js";
import { CodeGrid, bestGaussian } from "./posterior.js";
import { Climb, measure } from "./lower_bound.js";
import { startBound } from "./bound.js";
import { network, startWeights } from "./weights.js";
import { splitEntropy } from "./bayesian_network.js";
import { inkOf, toMnist } from "./drawing.js";
import { digit, offerImages, pick } from "./pad.js";
import { unpack } from "./numbers.js";

const { vae_epochs, bayesian_network_epochs: bnn_epochs, seeds } = recorded.about;

startLanguage();
offerImages(unpack(recorded.images.pixels), recorded.images.labels);
whenRedrawn(() => (byId("lead").textContent = word("lead", { vae_epochs, bnn_epochs, seed: seeds.vae })));
startBound();
startCodePlane();
startEncode();
startWeights();
pick(3, 8); // whose encoder's Q is well beside the posterior, and which the draws of weights take for a 3

const grid = new CodeGrid(decoder); // as the worker has one

window.explorer = {
  decode: (code, epoch = EPOCHS.at(-1).epoch) => [...EPOCHS.find((one) => one.epoch === epoch).decoder.mean(code)],
  encode: (image) => encoder.posterior(image),
  bound: (image, q) => measureBound(decoder, image, q, RULES.fine),
  posterior: (image) => grid.posterior(image),
  bestGaussian: (image) => bestGaussian(grid.posterior(image)),
  refine: (image, q, steps, rate) => {
    const inference = new Inference(decoder, image, q, RULES.quick);
    for (let i = 0; i < steps; i++) inference.step(rate);
    return inference.q;
  },
  lowerBound: measure,
  climb: (q, steps, rate) => {
    const ascent = new Climb(q);
    for (let i = 0; i < steps; i++) ascent.step(rate);
    return ascent.q;
  },
  drawWeights: (count, seed) => network.drawWeights(count, seed),
  predict: (image, draws) => network.predict(image, draws),
  splitEntropy,
  toMnist: (strokes) => [...toMnist(inkOf(strokes))],
  ink: (strokes) => [...inkOf(strokes)],
  image: () => [...digit.image],
  moveTo,
};
