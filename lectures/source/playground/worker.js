/* Trains a text, in a worker that the page may end at any time. In: {text, program, train, test, ...} once, then
 * {limit} to go on, {modest} to leave time to others, and {digit}, an image of the reader's or null. Out: snapshots. */

import { plainKernels, wasmKernels } from "./kernels.js";
import { Model } from "./model.js";
import { PythonError } from "./python.js";
import { Noise } from "./noise.js";

const TESTED = 1000; // images
const SNAPSHOTS = 30; // until the limit that the page sets first; at first they are closer
const DRAWN = 400; // samples
const SHIFT = 40; // milliseconds of work, after which messages are let in

let job; // what the page has asked for, its model with it
let awake = () => {}; // ends a wait for the page

self.onmessage = ({ data }) => {
  if (data.text !== undefined) start(data);
  else if (data.limit) awake((job.limit = data.limit));
  else if (data.modest !== undefined) job.modest = data.modest;
  else {
    job.digit = data.digit;
    if (job.model) self.postMessage({ look: look(job) });
  }
};

/** What the model makes of the reader's image. */
const look = ({ model, digit }) => digit && model.look(digit);

async function start(asked) {
  job = { seen: 0, ...asked };
  try {
    const inflated = asked.train.deflated.stream().pipeThrough(new DecompressionStream("deflate"));
    job.train.pixels = new Uint8Array(await new Response(inflated).arrayBuffer());
    const [kernels, random] = [makeKernels(asked), new Noise(asked.seed)];
    job.model = new Model(asked.text, { program: asked.program, kernels, random, grid: asked.grid.length / 2 });
    await (job.model.optimizer ? train(job) : sample(job));
  } catch (error) {
    const line = error instanceof PythonError ? error.line : null;
    self.postMessage({ error: error.message, line });
  }
}

function makeKernels({ wasm, plain }) {
  try {
    if (!plain) return wasmKernels(wasm);
  } catch {
    // no WebAssembly with vectors here
  }
  return plainKernels();
}

/** Lets messages in; without the 4 milliseconds of setTimeout. */
const { port1, port2 } = new MessageChannel();
const breathe = () => new Promise((done) => ((port1.onmessage = done), port2.postMessage(0)));
const rest = () => new Promise((done) => setTimeout(done, SHIFT));

async function train(job) {
  const { model, program, train: data } = job;
  const [count, random] = [data.labels.length, new Noise(job.seed + 1)];
  let [order, next, milliseconds, first, since] = [[], 0, 0, null, 0];
  for (;;) {
    if (job.seen >= next) {
      snapshot(job, milliseconds);
      const every = program.limit / SNAPSHOTS;
      next = Math.max(2 * program.batch, Math.min(2 * job.seen, job.seen + every - (job.seen % every)));
    }
    if (performance.now() - since > SHIFT) {
      await (job.modest ? rest() : breathe());
      since = performance.now();
    }
    if (job.seen >= job.limit) await new Promise((go) => (awake = go));
    if (order.length < program.batch) order = shuffled(count, random);
    const start = performance.now();
    const loss = model.step(data, order.splice(-program.batch));
    milliseconds += performance.now() - start;
    job.seen += program.batch;
    first ??= Math.max(1, Math.abs(loss));
    const says = `Training diverges: after ${job.seen} images the loss is ${loss}`;
    if (!(Math.abs(loss) < 100 * first)) throw Error(`${says}. Look at its sign, or at the learning rate.`);
  }
}

function shuffled(count, random) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random.uniform() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** A text without an optimizer is run again and again on the same images: slides 13-16. */
async function sample(job) {
  const { model, program, test } = job;
  if (program.view !== "gaussians") throw Error("NameError: the text no longer defines optimize");
  const [samples, ratios] = [[], []];
  const of = (name) => [...(model.slide.get(name)?.value.subarray(0, 10) ?? [])];
  for (job.seen = 1; ; job.seen++) {
    if (job.seen > job.limit) await new Promise((go) => (awake = go));
    model.measure(test, program.batch, () => {});
    if (samples.length < DRAWN) samples.push(of("sample"));
    ratios.push(of("log_ratio")[0]);
    if (job.seen > 20 && job.seen % 50) continue;
    const mean = ratios.reduce((a, b) => a + b) / ratios.length;
    const gaussians = { samples: samples.slice() };
    for (const name of ["mean", "stddev", "other_mean", "other_stddev"]) gaussians[name] = of(name);
    const slide = { kl: of("kl")[0], log_ratio: mean };
    post(job, { own: means(model.own), slide, gaussians });
    await breathe();
  }
}

/** The means of what some names have now: of each over all its elements. */
function means(named, names = [...named.keys()]) {
  const mean = ({ value, size }) => value.reduce((a, b) => a + b, 0) / size;
  return Object.fromEntries(names.filter((name) => named.has(name)).map((name) => [name, mean(named.get(name))]));
}

function post({ model, seen, digit }, message) {
  const about = { seen, printed: model.print(), kernels: model.kernels.name, unmeasured: model.unmeasured };
  self.postMessage({ ...about, look: look({ model, digit }), ...message });
}

/** Measures the model on the test images, and tells the page. */
function snapshot(job, milliseconds) {
  const { model, program, test } = job;
  const [own, slide, codes, confusion, answers] = [{}, {}, [], new Float64Array(100), []];
  const add = (sums, values) => {
    for (const name in values) sums[name] = (sums[name] ?? 0) + values[name] / Math.ceil(TESTED / program.batch);
  };
  const { mean, answer } = Object.fromEntries(model.slide);
  model.measure(test, TESTED, (first) => {
    add(own, means(model.own));
    add(slide, means(model.slide, program.numbers));
    for (let n = 0; mean && n < program.batch; n++)
      codes.push(mean.value[n * +mean.shape.at(-1)], mean.value[n * +mean.shape.at(-1) + 1] ?? 0);
    if (answer) tally(answer, test.labels.subarray(first), confusion, answers);
  });
  if (answer) slide.accuracy = confusion.reduce((right, count, i) => right + (i % 11 ? 0 : count), 0) / TESTED;
  const { loss } = model.optimizer;
  const weights = ["weight_mean", "weight_stddev"].map((name) => model.slide.get(name)?.value.slice());
  const grid = model.images && inBytes(model.decode(widen(job.grid, +model.codes.shape[1])));
  const objective = job.seen ? -loss.value.reduce((a, b) => a + b, 0) / loss.size : null;
  const speed = milliseconds / job.seen;
  post(job, { own, slide, objective, speed, codes: Float32Array.from(codes), grid, confusion, answers, weights });
}

/** Counts answers [N, 10] by label and largest output, and keeps the first of each digit. */
function tally(answer, labels, confusion, answers) {
  for (let n = 0; n < answer.size / 10; n++) {
    const outputs = [...answer.value.subarray(10 * n, 10 * n + 10)];
    confusion[10 * labels[n] + outputs.indexOf(Math.max(...outputs))] += 1;
    answers[labels[n]] ??= outputs;
  }
}

const inBytes = (images) => Uint8Array.from(images, (value) => 255 * value + 0.5);

/** Codes of two numbers as codes of so many: 0 for the rest. */
function widen(codes, width) {
  const wide = new Float32Array((codes.length / 2) * width);
  for (let n = 0; n < codes.length / 2; n++)
    for (let i = 0; i < Math.min(2, width); i++) wide[n * width + i] = codes[2 * n + i];
  return wide;
}
