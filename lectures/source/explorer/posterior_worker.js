/* In a worker: the exact posterior of an image, the levels that hold shares of it, the best Gaussian, and bounds. */

import { CodeGrid, SHARES, bestGaussian, levelsFor } from "./posterior.js";
import { Decoder, measureBound } from "./vae.js";

let [grid, rule] = [];

self.onmessage = ({ data }) => {
  if (data.weights) {
    grid = new CodeGrid(new Decoder(data.weights));
    grid.prepare();
    ({ rule } = data);
    return;
  }
  const { image, encoded } = data;
  const exact = grid.posterior(image);
  const best = bestGaussian(exact);
  const [atBest, atEncoder] = [best, encoded].map((q) => measureBound(grid.decoder, image, q, rule));
  self.postMessage({ exact, levels: levelsFor(exact, SHARES), best, atBest, atEncoder });
};
