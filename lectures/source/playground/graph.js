/* A static graph of arrays, as TensorFlow 1 has it: built once, given memory, run many times; gradients in reverse. */

/** A dimension of a placeholder, which TensorFlow knows only once it is fed (None, "?"); here a batch's is known. */
export class Open extends Number {}

const sizeOf = (shape) => shape.reduce((size, n) => size * n, 1);
/** An error that TensorFlow has, too, if something holds. */
export function refuse(holds, message) {
  if (holds) throw Error(message);
}

export const show = (shape) => `[${shape.map((n) => (n instanceof Open ? "?" : n)).join(",")}]`;
const range = (count) => Array.from({ length: count }, (_, i) => i);
const sameShape = (a, b) => a.length === b.length && a.every((n, i) => +n === +b[i]);

/** The graph that is being built: its nodes in order, variables by name, and the scopes that name the latter. */
export let graph;

/** Begins a new graph, whose initial weights and noise are random's, for batches of so many images. */
export function newGraph(random, batch) {
  graph = { nodes: [], variables: new Map(), scopes: [], layers: new Map(), printed: [], random, batch, step: null };
  return graph;
}

/** What an operation makes. Arrays come later, from allocate(): `value`, and `slope`, the loss's derivative by it. */
export class Node {
  constructor(shape, inputs, { forward, backward, dtype = "float32", start, alias = false } = {}) {
    Object.assign(this, { shape, inputs, forward, backward, dtype, start, alias, size: sizeOf(shape) });
    this.learns = dtype === "float32" && inputs.some((input) => input.learns); // whether a variable is behind it
    graph.nodes.push(this);
  }
}

export const constant = (values, shape = [], dtype = "float32") =>
  new Node(shape, [], {
    dtype,
    start: (array) => (array.length === values.length ? array.set(values) : array.fill(values)),
  });
export const placeholder = (shape, dtype) => Object.assign(new Node(shape, [], { dtype }), { fed: true });

/** A node of a number, or of what is one. */
export function lift(value, dtype = "float32") {
  if (value instanceof Node) return value;
  if (Array.isArray(value)) return stack(value.map((part) => lift(part, dtype)), 0);
  if (typeof value === "boolean") return constant(Number(value), [], "bool");
  refuse(typeof value !== "number", `TypeError: a tensor or a number is expected here, not ${value ?? "None"}`);
  refuse(dtype === "int32" && value % 1, `TypeError: Expected int32, but got ${value} of type 'float'.`);
  return constant(value, [], dtype);
}

/** A weight under its scope's name. TensorFlow 1 makes each name once, unless the scope says to reuse them. */
export function variable(name, shape, start) {
  const path = [...graph.scopes.map((scope) => scope.name), name].join("/");
  const [found, reuse] = [graph.variables.get(path), graph.scopes.findLast((scope) => scope.reuse)?.reuse];
  const says = `ValueError: Variable ${path}`;
  refuse(found && !reuse, `${says} already exists, disallowed. Did you mean to set reuse=True in VarScope?`);
  refuse(!found && reuse === true, `${says} does not exist, or was not created with tf.get_variable().`);
  if (!found) return makeVariable(path, shape, start);
  refuse(!sameShape(found.shape, shape), `${says} is shared, but has shape ${show(found.shape)}, not ${show(shape)}.`);
  return found;
}
function makeVariable(path, shape, start) {
  const made = Object.assign(new Node(shape, [], { start }), { learns: true });
  graph.variables.set(path, made);
  return made;
}

/** Calls make with a scope around the names of its variables. */
export function inScope(name, reuse, make) {
  graph.scopes.push({ name, reuse, layers: new Map() });
  try {
    return make();
  } finally {
    graph.scopes.pop();
  }
}

/** Gives arrays to nodes, and what variables need for their slope and Adam. */
export function allocate(nodes, kernels) {
  const arrays = nodes.filter((node) => !node.alias);
  const each = (node) => (graph.optimized?.has(node) ? 4 : node.learns ? 2 : 1);
  const numbers = arrays.reduce((sum, node) => sum + each(node) * node.size, 0);
  refuse(numbers > 16e6, `MemoryError: this graph needs ${Math.round(numbers / 250e3)} MB, more than the 64 of a page`);
  kernels.reserve(5 * arrays.length, numbers);
  for (const node of arrays) {
    node.value = kernels.zeros(node.size);
    node.start?.(node.value);
    if (node.learns) node.slope = kernels.zeros(node.size);
    if (graph.optimized?.has(node))
      Object.assign(node, { first: kernels.zeros(node.size), second: kernels.zeros(node.size) });
  }
  for (const node of nodes) if (node.alias) [node.value, node.slope] = [node.inputs[0].value, node.inputs[0].slope];
}

/** The nodes that some need, in the order in which they were made. */
export function behind(...targets) {
  const [needed, open] = [new Set(targets), [...targets]];
  while (open.length)
    for (const input of open.pop().inputs) if (!needed.has(input)) (needed.add(input), open.push(input));
  return graph.nodes.filter((node) => needed.has(node));
}

export const run = (nodes, kernels) => nodes.forEach((node) => node.forward?.(node, kernels));

/** The slopes of a loss, or of its elements' sum, as tf.gradients has them. `nodes`: those behind it, already run. */
export function differentiate(loss, nodes, kernels) {
  const learning = nodes.filter((node) => node.learns);
  learning.forEach((node) => node.slope.fill(0));
  loss.slope.fill(1);
  for (const node of learning.reverse()) node.backward?.(node, kernels);
}

/** The shape of an operation on several arrays, each repeated along dimensions of 1, or that it lacks. */
function broadcast(a, b) {
  return range(Math.max(a.length, b.length)).map((i, _, { length }) => {
    const [x, y] = [a, b].map((shape) => shape[shape.length - length + i] ?? 1);
    const says = `ValueError: Dimensions must be equal, but are ${+x} and ${+y}, with input shapes`;
    refuse(+x !== +y && +x !== 1 && +y !== 1, `${says}: ${show(a)}, ${show(b)}.`);
    return +x === 1 ? y : +y === 1 || x instanceof Open ? x : y;
  });
}

/** For each element of an array of shape `to`, where its value is in one of shape `from`, which is repeated. */
function places(from, to) {
  const strides = [];
  for (let [axis, stride] = [from.length - 1, 1]; axis >= 0; stride *= from[axis], axis -= 1)
    strides[axis] = +from[axis] === 1 ? 0 : stride;
  let result = [0];
  to.forEach((n, axis) => {
    const stride = strides[axis - to.length + from.length] ?? 0;
    const longer = new Int32Array(result.length * n);
    for (let i = 0; i < result.length; i++) for (let j = 0; j < n; j++) longer[i * n + j] = result[i] + j * stride;
    result = longer;
  });
  return result;
}

/** f of each element of one or two arrays; slopes[i](inputs..., result) is its derivative by the i-th. */
function elementwise(f, slopes, kind) {
  return (...values) => {
    const like = values.find((value) => value instanceof Node)?.dtype;
    const inputs = values.map((value) => lift(value, like === "bool" ? undefined : like));
    const dtypes = inputs.filter((input) => input.dtype !== "bool").map((input) => input.dtype);
    const unlike = new Set(dtypes).size > 1;
    refuse(unlike, `TypeError: the operation's inputs have types ${dtypes.join(" and ")}; tf.cast makes them one`);
    const shape = inputs.map((input) => input.shape).reduce(broadcast);
    const [p, q] = inputs.map((input) => places(input.shape, shape));
    const forward = ({ value, size }) => {
      const [x, y] = inputs.map((input) => input.value);
      if (y) for (let i = 0; i < size; i++) value[i] = f(x[p[i]], y[q[i]]);
      else for (let i = 0; i < size; i++) value[i] = f(x[i]);
    };
    const backward = ({ value, slope, size }) => {
      const [x, y] = inputs.map((input) => input.value);
      inputs.forEach(({ learns, slope: to }, j) => {
        const [at, derivative] = [j ? q : p, slopes[j]];
        if (!learns) return;
        if (y) for (let i = 0; i < size; i++) to[at[i]] += slope[i] * derivative(x[p[i]], y[q[i]], value[i]);
        else for (let i = 0; i < size; i++) to[i] += slope[i] * derivative(x[i], value[i]);
      });
    };
    return new Node(shape, inputs, { forward, backward, dtype: kind === "comparison" ? "bool" : dtypes[0] });
  };
}
/** As elementwise would make it; of its own, since a call for each number leaves garbage, and networks are made of it. */
function relu(value) {
  const input = lift(value);
  const forward = (node) => {
    for (let i = 0; i < node.size; i++) node.value[i] = input.value[i] > 0 ? input.value[i] : 0;
  };
  const backward = ({ slope }) => {
    if (input.learns) for (let i = 0; i < input.size; i++) if (input.value[i] > 0) input.slope[i] += slope[i];
  };
  return new Node(input.shape, [input], { forward, backward, dtype: input.dtype });
}
const logistic = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const flat = () => 0;
/** Of two that are equal, the gradient goes to the first, as in TensorFlow. */
export const operations = {
  add: elementwise((a, b) => a + b, [() => 1, () => 1]),
  subtract: elementwise((a, b) => a - b, [() => 1, () => -1]),
  multiply: elementwise((a, b) => a * b, [(a, b) => b, (a) => a]),
  divide: elementwise((a, b) => a / b, [(a, b) => 1 / b, (a, b) => -a / (b * b)]),
  pow: elementwise((a, b) => a ** b, [
    (a, b) => (b === 0 ? 0 : b * a ** (b - 1)),
    (a, b, y) => (a > 0 ? y * Math.log(a) : 0),
  ]),
  maximum: elementwise((a, b) => (a >= b ? a : b), [(a, b) => Number(a >= b), (a, b) => Number(a < b)]),
  minimum: elementwise((a, b) => (a <= b ? a : b), [(a, b) => Number(a <= b), (a, b) => Number(a > b)]),
  negative: elementwise((a) => -a, [() => -1]),
  exp: elementwise(Math.exp, [(a, y) => y]),
  log: elementwise(Math.log, [(a) => 1 / a]),
  abs: elementwise(Math.abs, [Math.sign]),
  square: elementwise((a) => a * a, [(a) => 2 * a]),
  sqrt: elementwise(Math.sqrt, [(a, y) => 0.5 / y]),
  tanh: elementwise(Math.tanh, [(a, y) => 1 - y * y]),
  sigmoid: elementwise(logistic, [(a, y) => y * (1 - y)]),
  relu,
  leaky_relu: elementwise((a) => (a > 0 ? a : 0.2 * a), [(a) => (a > 0 ? 1 : 0.2)]),
  elu: elementwise((a) => (a > 0 ? a : Math.expm1(a)), [(a, y) => (a > 0 ? 1 : y + 1)]),
  softplus: elementwise((a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))), [logistic]),
  greater: elementwise((a, b) => Number(a > b), [], "comparison"),
};
const { add, subtract, multiply, divide, exp, log } = operations;

export function cast(value, dtype) {
  const whole = dtype.startsWith("int") ? Math.trunc : dtype === "bool" ? (a) => Number(a !== 0) : (a) => a;
  const [input, node] = [lift(value), elementwise(whole, [() => 1])(lift(value))];
  return Object.assign(node, { dtype, learns: node.learns && dtype === input.dtype });
}
export const stopGradient = (value) => Object.assign(elementwise((a) => a, [flat])(value), { learns: false });

/** The same numbers under another shape, of which one dimension may be -1. */
export function reshape(value, shape) {
  const input = lift(value);
  const rest = -sizeOf(shape);
  const found = input.shape.some((n) => n instanceof Open) ? new Open(input.size / rest) : input.size / rest;
  const full = shape.map((n) => (+n === -1 ? found : n));
  const fits = sizeOf(full) === input.size && full.every((n) => Number.isInteger(+n) && +n >= 0);
  const whole = `a tensor with ${input.size} elements (shape ${show(input.shape)})`;
  refuse(!fits, `ValueError: Cannot reshape ${whole} to shape ${show(shape)}.`);
  const node = new Node(full, [input], { dtype: input.dtype, alias: true });
  return Object.assign(node, { learns: input.learns });
}

/** Elements of some arrays in another order: for each place of the result where it is in them, one after the other. */
function arrange(inputs, shape, from) {
  let end = 0;
  const parts = inputs.map((input) => {
    const start = end;
    end += input.size;
    const to = Int32Array.from(range(from.length).filter((i) => from[i] >= start && from[i] < end));
    return { input, to, from: to.map((i) => from[i] - start) };
  });
  const forward = ({ value }) => {
    for (const { input, to, from: places } of parts)
      for (let n = 0; n < to.length; n++) value[to[n]] = input.value[places[n]];
  };
  const backward = ({ slope }) => {
    for (const { input, to, from: places } of parts)
      if (input.learns) for (let n = 0; n < to.length; n++) input.slope[places[n]] += slope[to[n]];
  };
  return new Node(shape, inputs, { forward, backward, dtype: inputs[0].dtype });
}

const axisOf = (axis, rank) => {
  const fits = Number.isInteger(axis) && axis < rank && axis >= -rank;
  refuse(!fits, `ValueError: Invalid axis ${axis} for ${rank} dimensions.`);
  return (axis + rank) % rank;
};
/** The numbers of an array's elements, as nested by its shape: what slices and transpositions pick from. */
export const numbering = (shape) => ({ shape, at: range(sizeOf(shape)) });

/** Along an axis, the parts at some indices: numbering in, numbering out. */
export function select({ shape, at }, axis, indices) {
  const [inner, n] = [sizeOf(shape.slice(axis + 1)), +shape[axis]];
  const part = (outer) => indices.flatMap((index) => range(inner).map((i) => at[(outer * n + index) * inner + i]));
  const picked = range(sizeOf(shape.slice(0, axis))).flatMap(part);
  return { shape: indices.length === n ? shape : shape.with(axis, indices.length), at: picked };
}
export const pick = (input, { shape, at }) => arrange([input], shape, at);

export const tile = (value, counts) =>
  pick(value, counts.reduce((numbers, count, axis) => {
    const n = +numbers.shape[axis];
    return select(numbers, axis, range(n * count).map((i) => i % n));
  }, numbering(value.shape)));
export function concat(values, axis) {
  const [{ shape }, along] = [values[0], axisOf(axis, values[0].shape.length)];
  for (const { shape: other } of values) {
    const alike = sameShape(shape.toSpliced(along, 1), other.toSpliced(along, 1));
    refuse(!alike, `ValueError: Shapes ${show(shape)} and ${show(other)} differ off concat's axis ${axis}.`);
  }
  const starts = values.reduce((found, value) => [...found, found.at(-1) + value.size], [0]);
  const at = range(sizeOf(shape.slice(0, along))).flatMap((outer) =>
    values.flatMap((value, j) => {
      const inner = sizeOf(value.shape.slice(along));
      return range(inner).map((i) => starts[j] + outer * inner + i);
    }),
  );
  return arrange(values, shape.with(along, values.reduce((sum, value) => sum + +value.shape[along], 0)), at);
}
/** Numbers before and after an array, [before, after] in each dimension. */
export const pad = (value, margins, filling = 0) =>
  margins.reduce((padded, [before, after], axis) => {
    const margin = (n) => (n ? [constant(filling, padded.shape.with(axis, n))] : []);
    return before + after ? concat([...margin(before), padded, ...margin(after)], axis) : padded;
  }, value);
export function stack(values, axis = 0) {
  const along = axisOf(axis, values[0].shape.length + 1);
  return concat(values.map((value) => reshape(value, value.shape.toSpliced(along, 0, 1))), along);
}
export const repeat = (value, shape) => add(value, constant(0, shape)); // along dimensions of 1, or that it lacks

/** What sums, means and the like share: the axes that go, the shape that is left, and each element's place in it. */
function reduction(value, axes, keep) {
  const [input, rank] = [lift(value), lift(value).shape.length];
  const gone = new Set((axes === null ? range(rank) : [axes].flat()).map((axis) => axisOf(axis, rank)));
  const kept = input.shape.map((n, i) => (gone.has(i) ? 1 : n));
  const shape = keep ? kept : input.shape.filter((_, i) => !gone.has(i));
  return { input, shape, to: places(kept, input.shape), count: input.size / sizeOf(kept) };
}
export function reduceSum(value, axes = null, keep = false) {
  const { input, shape, to } = reduction(value, axes, keep);
  const forward = (node) => {
    node.value.fill(0);
    for (let i = 0; i < input.size; i++) node.value[to[i]] += input.value[i];
  };
  const backward = ({ slope }) => {
    for (let i = 0; i < input.size; i++) input.slope[i] += slope[to[i]];
  };
  return new Node(shape, [input], { forward, backward, dtype: input.dtype });
}
export const reduceMean = (value, axes = null, keep = false) =>
  divide(reduceSum(value, axes, keep), reduction(value, axes, keep).count);
/** The largest; the gradient is shared by those that are equal. */
export function reduceMax(value, axes = null, keep = false) {
  const { input, shape, to } = reduction(value, axes, keep);
  const forward = (node) => {
    node.value.fill(-Infinity);
    for (let i = 0; i < input.size; i++) node.value[to[i]] = Math.max(node.value[to[i]], input.value[i]);
  };
  const backward = (node) => {
    const equal = new Float64Array(node.size);
    for (let i = 0; i < input.size; i++) equal[to[i]] += input.value[i] === node.value[to[i]];
    for (let i = 0; i < input.size; i++)
      if (input.value[i] === node.value[to[i]]) input.slope[i] += node.slope[to[i]] / equal[to[i]];
  };
  return new Node(shape, [input], { forward, backward, dtype: input.dtype });
}
export function reduceLogSumExp(value, axes = null, keep = false) {
  const largest = stopGradient(reduceMax(value, axes, true));
  const sum = log(reduceSum(exp(subtract(value, largest)), axes, true));
  const whole = add(sum, largest);
  return keep ? whole : reshape(whole, reduction(value, axes, false).shape);
}
/** A row of 0 and a 1 for each whole number; rows of 0 for those outside of 0 to depth - 1. */
export function oneHot(value, depth) {
  const forward = (node) => {
    for (let i = 0; i < node.size; i++) node.value[i] = Number(value.value[Math.floor(i / depth)] === i % depth);
  };
  return new Node([...value.shape, depth], [value], { forward });
}

/** inputs [..., K] times kernel [K, N], plus a bias [N] if there is one. */
export function affine(inputs, kernel, bias = null) {
  const [k, units] = kernel.shape.map(Number);
  const rows = inputs.size / k;
  const says = `ValueError: Dimensions must be equal, but are ${+inputs.shape.at(-1)} and ${k} for MatMul`;
  const fits = kernel.shape.length === 2 && +inputs.shape.at(-1) === k;
  refuse(!fits, `${says} with input shapes: ${show(inputs.shape)}, ${show(kernel.shape)}.`);
  const forward = (node, kernels) => {
    if (bias) for (let r = 0; r < rows; r++) node.value.set(bias.value, r * units);
    kernels.matmul(rows, units, k, inputs.value, k, 1, kernel.value, units, 1, node.value, bias !== null);
  };
  const backward = (node, kernels) => {
    if (kernel.learns) kernels.matmul(k, units, rows, inputs.value, 1, k, node.slope, units, 1, kernel.slope, true);
    if (bias) for (let r = 0; r < rows; r++) for (let j = 0; j < units; j++) bias.slope[j] += node.slope[r * units + j];
    if (inputs.learns) kernels.matmul(rows, k, units, node.slope, units, 1, kernel.value, 1, units, inputs.slope, true);
  };
  const parts = bias ? [inputs, kernel, bias] : [inputs, kernel];
  return new Node([...inputs.shape.slice(0, -1), units], parts, { forward, backward });
}

/** ln P(values) of independent pixels by their logits, both [rows, pixels], a multiple of four: [rows]. */
export function bernoulliLogProb(logits, values) {
  const [rows, pixels] = logits.shape.map(Number);
  const residual = new Node(logits.shape, []); // the gradient by the logits, kept for backward
  const forward = (node, kernels) =>
    kernels.bernoulli(rows, pixels, logits.value, values.value, node.value, residual.value);
  const backward = ({ slope }) => {
    for (let i = 0; i < logits.size; i++) logits.slope[i] += slope[(i / pixels) | 0] * residual.value[i];
  };
  return new Node(logits.shape.slice(0, 1), [logits, values, residual], { forward, backward });
}

/** Noise of a normal distribution, or a uniform one on [0, 1], new at each run. */
export const noise = (shape, kind = "normal") =>
  Object.assign(new Node(shape, [], { forward: ({ value }) => graph.random.fill(value, kind) }), { noise: true });
