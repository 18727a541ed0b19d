/* For test_playground.py: runs a text in the page's engine, with weights and noise that are given; or builds several,
 * `texts`, and tells what each prints or what is wrong with it; or trains an epoch from several `seeds`.
 * node joined.cjs job.json: prints {values, slopes} of the first batch, and {losses, weights} of the steps. */

import { Node, differentiate, run } from "../lectures/source/playground/graph.js";
import { plainKernels, wasmKernels } from "../lectures/source/playground/kernels.js";
import { Model } from "../lectures/source/playground/model.js";
import { Noise } from "../lectures/source/playground/noise.js";

const { readFileSync } = require("node:fs");
const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const numbers = (base64) => new Float64Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
const KERNELS = {
  double: () => plainKernels(Float64Array),
  plain: () => plainKernels(),
  wasm: () => wasmKernels(job.wasm),
};

if (job.seeds) {
  const [train, test] = [job.train, job.test].map((path) => ({ pixels: readFileSync(path), labels: [] }));
  const bounds = job.seeds.map((seed, n) => {
    const random = new Noise(seed);
    const model = new Model(job.text, { program: job.program, kernels: wasmKernels(job.wasm), random });
    for (let at = 0; at < 60_000; at += 100) model.step(train, job.orders[n].slice(at, at + 100));
    let sum = 0;
    model.measure(test, 10_000, () => (sum += model.slide.get("bound").value.reduce((a, b) => a + b)));
    return sum / 10_000;
  });
  console.log(JSON.stringify(bounds));
  process.exit();
}

if (job.texts) {
  const say = ({ message, line }) => (line ? `line ${line}: ${message}` : message);
  const build = (text) => new Model(text, { program: job.program, kernels: plainKernels(), random: { fill() {} } });
  const told = job.texts.map((text) => {
    try {
      return build(text).print();
    } catch (error) {
      return say(error);
    }
  });
  console.log(JSON.stringify(told));
  process.exit();
}

const random = { fill: (array) => array.fill(0.5) };
const model = new Model(job.text, { program: job.program, kernels: KERNELS[job.kernels](), random, grid: 9 });
const { graph, kernels } = model;
for (const [name, values] of Object.entries(job.weights)) graph.variables.get(name).value.set(numbers(values));

const noisy = graph.nodes.filter((node) => node.noise);
let step = 0;
noisy.forEach((node, i) => {
  node.forward = ({ value }) => value && job.noise[step][i] && value.set(numbers(job.noise[step][i]));
});
const data = { pixels: Buffer.from(job.pixels, "base64"), labels: Buffer.from(job.labels, "base64") };
const chosen = (n) => job.order.slice(n * job.program.batch, (n + 1) * job.program.batch);
const packed = (array) => Buffer.from(Float64Array.from(array).buffer).toString("base64");
const named = () => {
  const nodes = [...model.names].filter(([, node]) => node instanceof Node && node.value);
  return Object.fromEntries(
    nodes.map(([name, { value, shape }]) => [name, { shape: shape.map(Number), value: packed(value) }]),
  );
};
const variables = (what) =>
  Object.fromEntries([...graph.variables].map(([name, node]) => [name, node[what] && packed(node[what])]));

const result = {};
model.feed(data, chosen(0));
run([...new Set([...model.order, ...model.measured])], kernels);
result.values = named();
if (model.optimizer) {
  differentiate(model.optimizer.loss, model.order, kernels);
  result.slopes = variables("slope");
  result.losses = [];
  for (step = 0; step < job.steps; step++) result.losses.push(model.step(data, chosen(step)));
  result.weights = variables("value");
}
console.log(JSON.stringify(result));
