/* Arrays, special functions and random numbers: what every model of the page needs. */

/** Half precision, as the 16 bits of each number: Float32Array. */
function fromHalf(bits) {
  return Float32Array.from(bits, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
}

/** A recorded array, {type, base64}: its numbers in a typed array, row by row. All that is recorded is finite. */
export function unpack({ type, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  if (type === "uint8") return bytes;
  return type === "float16" ? fromHalf(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
}

/** ln(1 + exp(value)), without overflow. */
export function softplus(value) {
  return Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)));
}

/** What softplus sends to the value. */
export function inverseSoftplus(value) {
  return value + Math.log(-Math.expm1(-value));
}

export function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}

/** ln of the sum of exponentials. */
export function logSumExp(values) {
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

export function clamp(value, lowest, highest) {
  return Math.min(Math.max(value, lowest), highest);
}

/** Random numbers that a seed repeats on every machine (mulberry32; normal ones by Box and Muller's transform). */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** In (0, 1). */
  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return (((bits ^ (bits >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  }

  normal() {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Codes from the prior N(0, I): [count][2]. */
  codes(count) {
    return Array.from({ length: count }, () => [this.normal(), this.normal()]);
  }
}

/** Gradient ascent by Adam (Kingma and Ba 2015), with TensorFlow's defaults, on an array of a few parameters. */
export class Adam {
  constructor(parameters) {
    this.parameters = [...parameters];
    this.first = parameters.map(() => 0);
    this.second = parameters.map(() => 0);
    this.steps = 0;
  }

  step(gradient, rate) {
    this.steps += 1;
    const corrected = (rate * Math.sqrt(1 - 0.999 ** this.steps)) / (1 - 0.9 ** this.steps);
    gradient.forEach((slope, i) => {
      this.first[i] += 0.1 * (slope - this.first[i]);
      this.second[i] += 0.001 * (slope * slope - this.second[i]);
      this.parameters[i] += (corrected * this.first[i]) / (Math.sqrt(this.second[i]) + 1e-8);
    });
  }
}
