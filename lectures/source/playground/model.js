/* A text made into a model that trains, as tf.Session runs one: the text's build_graph, and what the page measures. */

import * as g from "./graph.js";
import { compile } from "./python.js";
import { Namespace, builtins, operators } from "./tensorflow.js";

/** program: {batch, measure: Python's text that adds the slide's own measures to the model's names}. */
export class Model {
  constructor(text, { program, kernels, random, grid = 0 }) {
    Object.assign(this, { kernels, program });
    this.graph = g.newGraph(random, program.batch);
    const given = builtins();
    const names = compile(text, operators)(new Map(), given);
    g.refuse(!names.has("build_graph"), "NameError: the text no longer defines build_graph");
    const model = operators.call(names.get("build_graph"), [], {});
    g.refuse(!(model instanceof Namespace), "TypeError: build_graph must return SimpleNamespace(**locals())");
    this.names = model.names;
    this.learn();
    this.addMeasures(new Map([...given, ...names, ...model.names]));
    this.addGrid(grid);
    const printed = this.graph.printed.filter((value) => value instanceof g.Node);
    this.printed = g.behind(...printed);
    const parts = [this.order, this.measured, this.decoded, this.printed, ...this.graph.variables.values()];
    const needed = new Set(parts.flat());
    const nodes = this.graph.nodes.filter((node) => needed.has(node));
    this.feeds = nodes.filter((node) => node.fed);
    g.allocate(nodes, kernels);
  }

  /** What a step needs: the nodes behind the loss, and the variables among them. */
  learn() {
    this.optimizer = this.names.get("optimize")?.optimize;
    const loss = this.optimizer?.loss;
    this.order = loss ? g.behind(loss, this.optimizer.rate) : [];
    const variables = new Set(this.graph.variables.values());
    this.graph.optimized = new Set(this.order.filter((node) => variables.has(node)));
    this.steps = 0;
  }

  /** The slide's measures, beside those of the text's own names; an edit may have made them impossible. */
  addMeasures(names) {
    const own = this.program.own.map((name) => [name, names.get(name)]);
    this.own = new Map(own.filter(([, value]) => value instanceof g.Node));
    this.slide = new Map();
    try {
      const found = compile(this.program.measure, operators)(new Map(), names);
      for (const [name, value] of found) if (value instanceof g.Node) this.slide.set(name, value);
    } catch (error) {
      this.unmeasured = error.message;
    }
    this.measured = g.behind(...this.own.values(), ...this.slide.values());
  }

  /** For models with a decoder: images of so many codes. */
  addGrid(count) {
    const [decoder, width] = [this.names.get("decoder"), this.slide.get("mean")?.shape.at(-1)];
    this.decoded = [];
    if (!decoder || !width || !count) return;
    this.codes = g.placeholder([count, width], "float32");
    this.codes.fed = false; // fed by decode() alone
    try {
      this.images = operators.attribute(operators.call(decoder, [this.codes], {}), "mean")([], {});
      this.decoded = g.behind(this.images);
    } catch (error) {
      this.unmeasured ??= error.message;
    }
  }

  /** Puts chosen images, or their labels, into each placeholder. data: {pixels, labels}, both bytes. */
  feed({ pixels, labels }, chosen) {
    for (const { value, size, shape, dtype } of this.feeds) {
      const each = size / chosen.length;
      const says = `InvalidArgumentError: You must feed a value for a placeholder of shape ${g.show(shape)}`;
      g.refuse(each !== 1 && each !== 784, `${says}: the page has images [?,28,28] and labels [?]`);
      const [from, scale] = dtype === "float32" ? [pixels, 255] : [labels, 1];
      for (let n = 0; n < chosen.length; n++)
        for (let i = 0; i < each; i++) value[n * each + i] = from[chosen[n] * each + i] / scale;
    }
  }

  /** One session.run of the text's `optimize`; the loss. */
  step(data, chosen) {
    const { kernels, order, graph, optimizer } = this;
    this.feed(data, chosen);
    g.run(order, kernels);
    const { loss, rate } = optimizer;
    g.differentiate(loss, order, kernels);
    this.steps += 1;
    const corrected = (rate.value[0] * Math.sqrt(1 - 0.999 ** this.steps)) / (1 - 0.9 ** this.steps);
    for (const node of graph.optimized) kernels.adam(node.value, node.slope, node.first, node.second, corrected);
    if (optimizer.counts && graph.step) graph.step.value[0] += 1;
    return loss.value.reduce((a, b) => a + b) / loss.size;
  }

  /** Runs the measures on the first images of the data; see(nodes) is called after each batch. */
  measure(data, count, see) {
    const { batch } = this.program;
    for (let first = 0; first < count; first += batch) {
      this.feed(data, Array.from({ length: batch }, (_, n) => first + n));
      g.run(this.measured, this.kernels);
      see(first);
    }
  }

  decode(codes) {
    this.codes.value.set(codes);
    g.run(this.decoded, this.kernels);
    return this.images.value;
  }

  /** What the model makes of one image [784]: Q(z|x) and its mean decoded, or the ten outputs. */
  look(image) {
    const { batch } = this.program;
    this.feed({ pixels: image.map((pixel) => 255 * pixel), labels: [0] }, Array(batch).fill(0));
    g.run(this.measured, this.kernels);
    const first = (name) => [...(this.slide.get(name)?.value.subarray(0, +this.slide.get(name).shape.at(-1)) ?? [])];
    const [mean, stddev, answer] = ["mean", "stddev", "answer"].map(first);
    if (!this.images) return { answer };
    const codes = new Float32Array(this.codes.size);
    codes.set(mean);
    return { mean, stddev, decoded: this.decode(codes).slice(0, 784) };
  }

  /** What print() was given, as it reads now: a tensor by its shape and first values, for the images fed last. */
  print() {
    g.run(this.printed, this.kernels);
    return this.graph.printed.map((value) => {
      if (!(value instanceof g.Node)) return value?.name ? `tfp.distributions.${value.name}` : String(value);
      const first = [...value.value.subarray(0, 6)].map((one) => Number(one.toPrecision(4))).join(" ");
      return `Tensor(shape=${g.show(value.shape)}, dtype=${value.dtype}) ${first}${value.size > 6 ? " …" : ""}`;
    });
  }
}
