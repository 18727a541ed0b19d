/* Random numbers for initial weights and samples, which a seed repeats on every machine. */

import { Random } from "../explorer/numbers.js";

export class Noise extends Random {
  /** Fills an array; normal numbers by Box and Muller's transform, two at a time. */
  fill(array, kind) {
    for (let i = 0; i < array.length; i += 2) {
      const [u, v] = [this.uniform(), this.uniform()];
      const [length, angle] = kind === "normal" ? [Math.sqrt(-2 * Math.log(u)), 2 * Math.PI * v] : [];
      array[i] = length ? length * Math.cos(angle) : u;
      if (i + 1 < array.length) array[i + 1] = length ? length * Math.sin(angle) : v;
    }
  }
}
