/* A training of one text, in a worker of its own, and what it has told. The page may stop it at any time. */

import { byId } from "../explorer/page.js";

const workerUrl = URL.createObjectURL(new Blob([JSON.parse(byId("worker").textContent)], { type: "text/javascript" }));
const wasm = JSON.parse(byId("kernels").textContent);
const options = new URLSearchParams(location.search);

export const SIDE = 12; // of the grid of codes that is decoded
export const REACH = 2.5; // of that grid

/** The grid's codes, as rows of z2 from the top, in each z1 from the left. */
const grid = Float32Array.from({ length: 2 * SIDE * SIDE }, (_, i) => {
  const place = (n) => REACH * ((2 * n) / (SIDE - 1) - 1);
  return i % 2 ? -place(Math.floor(i / 2 / SIDE)) : place((i / 2) % SIDE);
});

export class Run {
  /** Begins at once; told(run) is called after each snapshot, answer or error. */
  constructor(text, program, data, digit, told) {
    Object.assign(this, { text, program, history: [], limit: program.limit });
    this.worker = new Worker(workerUrl);
    this.worker.onmessage = ({ data: message }) => {
      if (message.error) this.fail(message);
      else if (message.own) this.history.push(message);
      if (message.look !== undefined) this.looked = message.look;
      told(this);
    };
    const unsaid = "The training does not start: reload the page.";
    this.worker.onerror = ({ message }) => told(this.fail({ error: message ?? unsaid }));
    const [seed, plain] = [Number(options.get("seed") ?? 0), options.has("plain")];
    this.worker.postMessage({ text, program, ...data, digit, seed, limit: this.limit, grid, wasm, plain });
  }

  fail({ error, line }) {
    Object.assign(this, { error, line });
    this.stop();
    return this;
  }

  stop() {
    this.worker?.terminate();
    this.worker = null;
  }

  get last() {
    return this.history.at(-1);
  }

  /** Whether it has come to its limit, and waits there. */
  get rests() {
    return this.last?.seen >= this.limit;
  }

  goOn() {
    this.limit += this.program.limit;
    this.worker?.postMessage({ limit: this.limit });
  }

  /** Whether it should leave half of the time to the reader's own run. */
  yield(modest) {
    if (modest !== this.modest) this.worker?.postMessage({ modest });
    this.modest = modest;
  }

  /** Asks what the model makes of an image [784], now and after each snapshot; or of none. */
  look(digit) {
    if (!this.worker) this.looked = null; // of the digit before
    this.worker?.postMessage({ digit });
  }

  /** How it was after so many images, or as near before that as is known. */
  at(seen) {
    return this.history.findLast((snapshot) => snapshot.seen <= seen) ?? this.history[0];
  }
}
