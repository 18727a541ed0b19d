/* The names of TensorFlow 1 that the slides' lines and their edits use, on graph.js, for python.js to look up. */

import * as g from "./graph.js";
import * as distributions from "./distributions.js";

const { operations: o, Node, refuse } = g;

/** A module or a SimpleNamespace: names with a dot before them. */
export class Namespace {
  constructor(label, names) {
    Object.assign(this, { label, names: new Map(Object.entries(names)) });
    for (const [name, value] of this.names) if (typeof value === "function") value.title ??= name; // for its errors
  }
}

/** A function that Python calls, make, by a signature as "inputs, units, activation=": those with = may be left out. */
function f(signature, make) {
  const parameters = signature.split(",").filter(Boolean).map((one) => one.trim());
  const names = parameters.map((parameter) => parameter.replace("=", ""));
  const initial = parameters.map((parameter) => (parameter.endsWith("=") ? absent : undefined));
  return define(undefined, names, initial, (values) =>
    make(...values.map((value) => (value === absent ? undefined : value))),
  );
}
const absent = Symbol("absent");

/** A function of Python's: its parameters' names, their defaults (undefined for none), and what it does with values. */
function define(title, names, initial, invoke) {
  const python = (given, named) => {
    const says = `TypeError: ${python.title}()`;
    refuse(given.length > names.length, `${says} takes ${names.length} arguments but ${given.length} were given`);
    for (const key of Object.keys(named)) {
      const place = names.indexOf(key);
      refuse(place < 0, `${says} got an unexpected keyword argument '${key}'${suggest(key, names)}`);
      refuse(place < given.length, `${says} got multiple values for argument '${key}'`);
    }
    const value = (name, i) => (i < given.length ? given[i] : Object.hasOwn(named, name) ? named[name] : initial[i]);
    const values = names.map(value);
    const missing = values.indexOf(undefined);
    refuse(missing >= 0, `${says} missing a required argument: '${names[missing]}'`);
    return invoke(values);
  };
  return Object.assign(python, { title });
}

/** The known name that is like another, as Python suggests it. */
function suggest(name, known) {
  const distance = (a, b) => {
    let row = Array.from({ length: b.length + 1 }, (_, j) => j);
    [...a].forEach((x, i) => {
      const next = [i + 1];
      [...b].forEach((y, j) => next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (x !== y))));
      row = next;
    });
    return row.at(-1);
  };
  const [near] = known.map((one) => [distance(name, one), one]).sort(([a], [b]) => a - b);
  return near && near[0] <= (name.length > 4 ? 2 : 1) ? `. Did you mean: '${near[1]}'?` : "";
}

const isNumber = (value) => typeof value === "number" || typeof value === "boolean";
const onNumbers = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  floordiv: (a, b) => Math.floor(a / b),
  mod: (a, b) => a - b * Math.floor(a / b),
  pow: (a, b) => a ** b,
  less: (a, b) => a < b,
  less_equal: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greater_equal: (a, b) => a >= b,
};
const onTensors = new Set([...Object.keys(o), "matmul"]);
const kind = (value) => {
  if (value === null) return "NoneType";
  if (value instanceof distributions.Distribution) return value.name;
  if (isNumber(value)) return "number";
  const plain = { string: "str", function: "function" }[typeof value];
  return plain ?? (Array.isArray(value) ? "list" : value instanceof Node ? "Tensor" : "object");
};

/** What python.js asks: the meaning of signs, of dots and brackets, of calls. */
export const operators = {
  suggest,
  define,
  ellipsis: Symbol("..."),
  binary(name, a, b) {
    if (name === "equal" && !(a instanceof Node)) return a === b; // as TensorFlow 1 has it
    if (name === "not_equal" && !(a instanceof Node)) return a !== b;
    if (isNumber(a) && isNumber(b) && onNumbers[name]) return onNumbers[name](a, b);
    if (a instanceof Node || b instanceof Node) {
      refuse(!onTensors.has(name), `NotImplementedError: this page has no ${name} of tensors`);
      const known = [a, b].every((value) => value instanceof Node || isNumber(value) || Array.isArray(value));
      if (known) return name === "matmul" ? g.affine(g.lift(a), g.lift(b)) : o[name](a, b);
    }
    if (name === "add" && Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
    if (name === "multiply" && Array.isArray(a) && Number.isInteger(b))
      return Array.from({ length: b }, () => a).flat();
    throw Error(`TypeError: unsupported operand types: '${kind(a)}' and '${kind(b)}'`);
  },
  negative: (value) => (isNumber(value) ? -value : o.negative(value)),
  truth(value) {
    refuse(value instanceof Node, "TypeError: Using a `tf.Tensor` as a Python `bool` is not allowed.");
    return Array.isArray(value) ? value.length > 0 : value instanceof Map ? value.size > 0 : Boolean(value);
  },
  spread(value) {
    refuse(value instanceof Node, "TypeError: Tensor objects are not iterable; tf.unstack makes a list of one.");
    refuse(!Array.isArray(value), `TypeError: '${kind(value)}' object is not iterable`);
    return value;
  },
  dictionary: (pairs) => new Map(pairs),
  pairs: (value) => (value instanceof Map ? value : operators.spread(value)),
  call(callee, given, named) {
    refuse(typeof callee !== "function", `TypeError: '${kind(callee)}' object is not callable`);
    return callee(given, named);
  },
  attribute(object, name) {
    if (object instanceof Namespace) {
      const says = `AttributeError: this page's ${object.label} has no ${name}`;
      refuse(!object.names.has(name), `${says}${suggest(name, [...object.names.keys()])}`);
      return object.names.get(name);
    }
    if (object instanceof distributions.Distribution) {
      if (name === "batch_shape") return known(object.batch);
      if (name === "event_shape") return known(object.event);
      object.method(name);
      const signature = { sample: "sample_shape=,", log_prob: "value," }[name] ?? "";
      return f(`${signature} name=`, (value) => object.call(name, value));
    }
    if (object instanceof Node) {
      if (name === "shape") return known(object.shape);
      if (name === "dtype") return object.dtype;
      if (name === "get_shape") return f("", () => known(object.shape));
    }
    throw Error(`AttributeError: '${kind(object)}' object has no attribute '${name}'`);
  },
  item(object, parts) {
    if (object instanceof Node) return slice(object, parts);
    const [part] = parts;
    const indexed = Array.isArray(object) || object instanceof Map;
    refuse(!indexed, `TypeError: '${kind(object)}' object is not subscriptable`);
    if (Array.isArray(part?.slice)) return object.slice(part.slice[0] ?? 0, part.slice[1] ?? undefined);
    const found = object instanceof Map ? object.get(part) : object.at(part);
    refuse(found === undefined, object instanceof Map ? `KeyError: '${part}'` : "IndexError: list index out of range");
    return found;
  },
  within(context, work) {
    refuse(!context?.around, `TypeError: '${kind(context)}' object does not support the context manager protocol`);
    return context.around(work);
  },
};
const known = (shape) => shape.map((n) => (n instanceof g.Open ? null : n));

/** x[i], x[1:, :2], x[..., 0]. */
function slice(value, parts) {
  const { shape } = value;
  const dots = parts.indexOf(operators.ellipsis);
  const all = { slice: [null, null] };
  const full = dots < 0 ? parts : parts.toSpliced(dots, 1, ...Array(shape.length - parts.length + 1).fill(all));
  const most = shape.length;
  refuse(full.length > most, `ValueError: Index out of range using input dim ${most}; input has only ${most} dims.`);
  let numbers = g.numbering(shape);
  full.forEach((part, axis) => {
    const n = +shape[axis];
    const whole = Array.from({ length: n }, (_, i) => i);
    const chosen = part?.slice ? whole.slice(part.slice[0] ?? 0, part.slice[1] ?? n) : [whole.at(part)];
    refuse(chosen.includes(undefined), `ValueError: slice index ${part} of dimension ${axis} out of bounds.`);
    numbers = g.select(numbers, axis, chosen);
  });
  const stays = (_, axis) => full[axis] === undefined || full[axis]?.slice;
  return g.reshape(g.pick(value, numbers), numbers.shape.filter(stays));
}

/** A shape as Python gives it. */
const toShape = (shape) => {
  refuse(shape instanceof Node, "TypeError: a shape must be a list of numbers here, such as [10, 2].");
  const sizes = [shape].flat();
  refuse(sizes.includes(null), "ValueError: a dimension is None until images are fed; tf.shape(x)[0] is that number.");
  return sizes;
};
const filled = (value) => f("shape, dtype=, name=", (shape) => g.constant(value, toShape(shape)));
const filledLike = (value) => f("tensor, dtype=, name=", (tensor) => g.constant(value, g.lift(tensor).shape));
const unary = (make) => f("x, name=", (x) => make(x));
const binary = (make) => f("x, y, name=", (x, y) => make(x, y));
const reduce = (make) =>
  f("input_tensor, axis=, keepdims=, name=", (value, axis, keep) => make(value, axis ?? null, Boolean(keep)));
const each = (make, names) => Object.fromEntries(names.map((name) => [name, make(o[name])]));
const apply = (callee, value) => (callee ? operators.call(callee, [value], {}) : value);

/** Initializers of variables: by a shape, what fills the array. */
const initializer = {
  constant: (value) => () => (array) => array.fill(value),
  glorot: (shape) => (array) => {
    const [fanIn, fanOut] = shape.length < 2 ? [shape[0] ?? 1, shape[0] ?? 1] : shape.slice(-2);
    const limit = Math.sqrt(6 / (fanIn + fanOut));
    g.graph.random.fill(array, "uniform");
    for (let i = 0; i < array.length; i++) array[i] = limit * (2 * array[i] - 1);
  },
};
const makes = (signature, make) => f(signature, (...values) => ({ initialize: make(...values) }));
const startOf = (given, shape) => (given?.initialize ?? initializer.glorot)(shape);

function getVariable(name, shape, dtype, given) {
  if (given !== undefined && given !== null && !given.initialize) {
    const value = g.lift(given); // numbers, which say the shape
    return g.variable(name, value.shape, (array) => array.set(Array.isArray(given) ? given.flat(9) : [given]));
  }
  refuse(!shape, `ValueError: Shape of a new variable (${name}) must be fully defined.`);
  return g.variable(name, toShape(shape), startOf(given, toShape(shape)));
}

/** A name that its scope does not have yet: dense, dense_1. */
function unique(name) {
  const { layers } = g.graph.scopes.at(-1) ?? g.graph;
  const count = layers.get(name) ?? 0;
  layers.set(name, count + 1);
  return count ? `${name}_${count}` : name;
}

function dense(inputs, units, activation, useBias = true, kernel, bias, name) {
  refuse(!Number.isInteger(units) || units < 1, `ValueError: units must be a whole number above 0, not ${units}`);
  const value = g.lift(inputs);
  refuse(value.shape.length < 2, `ValueError: dense needs inputs of 2 dimensions or more, not ${g.show(value.shape)}`);
  const shape = [+value.shape.at(-1), units];
  return g.inScope(name ?? unique("dense"), undefined, () => {
    const weights = g.variable("kernel", shape, startOf(kernel, shape));
    const start = startOf(bias ?? { initialize: initializer.constant(0) }, [units]);
    const added = useBias ? g.variable("bias", [units], start) : null;
    return apply(activation, g.affine(value, weights, added));
  });
}

/** Each template has a scope of its own: its first call makes variables, the later ones find them. */
function makeTemplate(name, func, set) {
  const scope = unique(name);
  let made = false;
  return (given, named) => {
    const result = g.inScope(scope, made || undefined, () => operators.call(func, given, { ...set, ...named }));
    made = true;
    return result;
  };
}

const optimizer = (rate = 0.001) =>
  new Namespace("optimizer", {
    minimize: f("loss, global_step=, var_list=, name=", (loss, step) => {
      const learns = loss instanceof Node && loss.learns;
      refuse(!learns, "ValueError: No gradients provided for any variable: the loss does not depend on one.");
      return { optimize: { loss, rate: g.lift(rate), counts: Boolean(step) } };
    }),
  });
const softmax = (logits, axis = -1) => o.exp(logSoftmax(logits, axis));
const logSoftmax = (logits, axis = -1) => o.subtract(logits, g.reduceLogSumExp(logits, axis, true));

const layers = new Namespace("tf.layers", {
  dense: f("inputs, units, activation=, use_bias=, kernel_initializer=, bias_initializer=, name=", dense),
  flatten: f("inputs, name=", (inputs) => g.reshape(inputs, [inputs.shape[0], inputs.size / inputs.shape[0]])),
});
const nn = new Namespace("tf.nn", {
  ...each(unary, ["relu", "softplus", "sigmoid", "tanh", "elu", "leaky_relu"]),
  softmax: f("logits, axis=, name=", (logits, axis) => softmax(logits, axis)),
  log_softmax: f("logits, axis=, name=", (logits, axis) => logSoftmax(logits, axis)),
});
const train = new Namespace("tf.train", {
  AdamOptimizer: f("learning_rate=, name=", optimizer),
  get_or_create_global_step: f("", () => (g.graph.step ??= g.constant(0, [], "int64"))),
});
const around = (enter) => ({ around: enter });
const dtypes = Object.fromEntries(["float32", "int32", "int64", "bool"].map((name) => [name, name]));
export const tf = new Namespace("tf", {
  layers,
  nn,
  train,
  ...dtypes,
  ...each(unary, ["exp", "log", "square", "sqrt", "abs", "negative", "tanh", "sigmoid"]),
  ...each(binary, ["add", "subtract", "multiply", "divide", "maximum", "minimum", "pow", "greater"]),
  reduce_sum: reduce(g.reduceSum),
  reduce_mean: reduce(g.reduceMean),
  reduce_max: reduce(g.reduceMax),
  reduce_min: reduce((value, ...rest) => o.negative(g.reduceMax(o.negative(value), ...rest))),
  reduce_logsumexp: reduce(g.reduceLogSumExp),
  AUTO_REUSE: "auto",
  zeros: filled(0),
  ones: filled(1),
  zeros_like: filledLike(0),
  ones_like: filledLike(1),
  constant: f("value, dtype=, name=", (value, dtype) => g.lift(value, dtype)),
  identity: unary((value) => o.add(value, 0)),
  stop_gradient: unary(g.stopGradient),
  cast: f("x, dtype, name=", g.cast),
  clip_by_value: f("t, clip_value_min, clip_value_max, name=", (value, least, most) =>
    o.minimum(o.maximum(value, least), most),
  ),
  reshape: f("tensor, shape, name=", (tensor, shape) => g.reshape(tensor, toShape(shape))),
  shape: f("input, name=", (value) => value.shape.map(Number)),
  expand_dims: f("input, axis, name=", (value, axis) =>
    g.reshape(value, value.shape.toSpliced(axis < 0 ? axis + value.shape.length + 1 : axis, 0, 1)),
  ),
  concat: f("values, axis, name=", (values, axis) =>
    values.every(Array.isArray) ? values.flat() : g.concat(values.map((one) => g.lift(one)), axis),
  ),
  stack: f("values, axis=, name=", (values, axis = 0) => g.stack(values.map((one) => g.lift(one)), axis)),
  tile: f("input, multiples, name=", g.tile),
  pad: f("tensor, paddings, mode=, name=, constant_values=", (value, margins, mode, name, filling) =>
    g.pad(value, margins, filling),
  ),
  matmul: f("a, b, name=", (a, b) => g.affine(g.lift(a), g.lift(b))),
  one_hot: f("indices, depth, name=", g.oneHot),
  random_normal: f("shape, mean=, stddev=, name=", (shape, mean = 0, stddev = 1) =>
    o.add(o.multiply(g.noise(toShape(shape)), stddev), mean),
  ),
  set_random_seed: f("seed", () => null),
  placeholder: f("dtype, shape, name=", (dtype, shape) => {
    const known = !shape.slice(1).includes(null);
    refuse(!known, "ValueError: only the first dimension of a placeholder may be None on this page.");
    return g.placeholder(shape.map((n) => (n === null ? new g.Open(g.graph.batch) : n)), dtype);
  }),
  get_variable: f("name, shape=, dtype=, initializer=", getVariable),
  constant_initializer: makes("value=", (value = 0) => initializer.constant(value)),
  zeros_initializer: makes("", () => initializer.constant(0)),
  ones_initializer: makes("", () => initializer.constant(1)),
  glorot_uniform_initializer: makes("", () => initializer.glorot),
  name_scope: f("name", () => around((work) => work())),
  control_dependencies: f("control_inputs", () => around((work) => work())),
  variable_scope: f("name_or_scope, reuse=", (name, reuse) =>
    around((work) => g.inScope(name, reuse ?? undefined, work)),
  ),
  make_template: (given, named) => {
    const { name_ = given[0], func_ = given[1], ...set } = named;
    return makeTemplate(name_, func_, set);
  },
});

export const tfd = new Namespace("tfd", {
  MultivariateNormalDiag: f("loc, scale_diag, name=", distributions.multivariateNormalDiag),
  Normal: f("loc, scale, name=", distributions.normal),
  Bernoulli: f("logits, name=", (logits) => distributions.bernoulli(g.lift(logits))),
  Categorical: f("logits, name=", (logits) => distributions.categorical(g.lift(logits))),
  Independent: f("distribution, reinterpreted_batch_ndims, name=", distributions.independent),
  kl_divergence: f("distribution_a, distribution_b, name=", distributions.klDivergence),
});
const onlyNumbers = (name) =>
  f("x", (x) => {
    const says = "NotImplementedError: Cannot convert a symbolic tf.Tensor to a numpy array";
    refuse(!isNumber(x), `${says}: np.${name} takes numbers, tf.${name} tensors`);
    return Math[name](x);
  });
const np = new Namespace("np", {
  prod: f("a", (a) => a.reduce((x, y) => x * y, 1)),
  pi: Math.PI,
  ...Object.fromEntries(["log", "exp", "sqrt"].map((name) => [name, onlyNumbers(name)])),
});

/** Python's own names, and tf, tfd, np; what print() is given is kept for the page. */
export const builtins = () =>
  new Map(
    Object.entries({
      tf,
      tfd,
      np,
      len: f("x", (x) => operators.spread(x).length),
      int: f("x", Math.trunc),
      float: f("x", Number),
      abs: f("x", (x) => (isNumber(x) ? Math.abs(x) : o.abs(x))),
      sum: f("values", (values) => values.reduce((a, b) => operators.binary("add", a, b), 0)),
      range: f("start, stop=, step=", (start, stop, step = 1) => {
        const [first, last] = stop === undefined ? [0, start] : [start, stop];
        const length = Math.min(1000, Math.max(0, Math.ceil((last - first) / step)));
        return Array.from({ length }, (_, i) => first + i * step);
      }),
      assert_pixels: f("images", () => null), // which the scripts import; the page feeds its own pixels
      print: (given) => (g.graph.printed.push(...given), null),
      SimpleNamespace: (given, named) => new Namespace("model", named),
    }),
  );
