"""The playground's engine does what TensorFlow does with the same text, weights and noise."""

import base64
import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from lecture10_vae import vae
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lecture10_vae.utils.pixels import assert_pixels
from lectures.source import modules, playground
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no node here")

PARTS = playground.PARTS
CASES = [(slides, edit) for slides, program in playground.PROGRAMS.items() for edit in [None, *program.edits]]
TRAINED = [case for case in CASES if case[0] != "slides-13-16"]
QUICK = [case for case in CASES if case[1] in (None, "warm-up", "iwae", "tanh", "as-printed")]
STEPS = 100


def slow_unless(quick, cases):
    return [pytest.param(*case, marks=[] if case in quick else pytest.mark.slow) for case in cases]


def text_of(slides, edit):
    program = playground.PROGRAMS[slides]
    if edit == "bayesian-bias":  # which the script offers
        assert program.code.count("bayesian_bias=False") == 2
        return program.code.replace("bayesian_bias=False", "bayesian_bias=True")
    return program.edited(edit) if edit else program.code


def build(text):
    """TensorFlow's model of a text, on a graph of its own."""
    names = {"tf": tf, "tfd": tfd, "np": np, "SimpleNamespace": SimpleNamespace, "assert_pixels": assert_pixels}
    exec(text, names)
    with tf.Graph().as_default() as graph:
        return graph, names["build_graph"]()


def in_double(graph):
    """The same graph in double precision: each float, constants among them, becomes a double."""
    definition = graph.as_graph_def()
    for node in definition.node:
        for attribute in node.attr.values():
            if attribute.type == tf.float32.as_datatype_enum:
                attribute.type = tf.float64.as_datatype_enum
            if attribute.tensor.dtype == tf.float32.as_datatype_enum:
                array = tf.make_ndarray(attribute.tensor).astype(float)
                attribute.tensor.CopyFrom(tf.make_tensor_proto(array))
    with tf.Graph().as_default() as double:
        tf.import_graph_def(definition, name="")
    return double


def encode(array, kind="float64"):
    return base64.b64encode(np.ascontiguousarray(array, kind).tobytes()).decode()


def engine(tmp_path, **job):
    """What the page's engine makes of a job (see playground_driver.js)."""
    (tmp_path / "joined.cjs").write_text(modules.join(REPOSITORY / "tests" / "playground_driver.js"))
    (tmp_path / "job.json").write_text(json.dumps(job))
    command = ["node", tmp_path / "joined.cjs", tmp_path / "job.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def decode(values, shape):
    return np.frombuffer(base64.b64decode(values)).reshape(shape)


def operations(graph, kind):
    return [op for op in graph.get_operations() if op.type == kind]


class Case:
    """A text in TensorFlow, with random weights, noise and batches of MNIST for so many steps."""

    def __init__(self, text, program, steps):
        self.text, self.program = text, program
        self.graph, self.model = build(text)
        random = np.random.default_rng(0)
        self.data = mnist.load("train").first(1_000)
        self.order = random.integers(0, 1_000, steps * program.batch)
        self.noises = [op.outputs[0] for op in operations(self.graph, "RandomStandardNormal")]
        with self.graph.as_default():
            self.variables = {variable.op.name: variable for variable in tf.trainable_variables()}
            self.initialize = tf.global_variables_initializer()
        self.weights = {
            name: random.normal(size=variable.shape) * 0.05 - 2 * (name == "network/stddev")
            for name, variable in self.variables.items()
        }
        with self.graph.as_default():
            shapes = [tf.shape(noise) for noise in self.noises]
        with tf.Session(graph=self.graph) as session:
            session.run(self.initialize)
            shapes = session.run(shapes, self.feed(0, {}))
        self.noise = [[random.normal(size=shape) for shape in shapes] for _ in range(steps)]

    def feed(self, step, noise=None):
        """What the placeholders get at a step, by name, and the noise."""
        batch = self.data.take(self.order[step * self.program.batch : (step + 1) * self.program.batch])
        given = {
            "images": batch.images,
            "features": batch.images.reshape(-1, 784),
            "label": batch.labels,
            "digit": batch.labels,
        }
        feed = {op.outputs[0].name: given[op.name] for op in operations(self.graph, "Placeholder")}
        noise = (
            dict(zip((tensor.name for tensor in self.noises), self.noise[step], strict=True))
            if noise is None
            else noise
        )
        return feed | noise

    def in_order(self, noise):
        """TensorFlow draws a vector's dimensions before the batch's, [samples * dimensions, batch]; we after them."""
        dimensions = 2 if self.program.script == "vae" else 10
        return np.moveaxis(noise.reshape(-1, dimensions, *noise.shape[1:]), 1, -1)

    def job(self, kernels, steps):
        return {
            "text": self.text,
            "program": playground.describe(self.program) | {"text": "", "code": "", "edits": {}},
            "kernels": kernels,
            "wasm": base64.b64encode((PARTS / "kernels.wasm").read_bytes()).decode(),
            "weights": {name: encode(weights) for name, weights in self.weights.items()},
            "noise": [[encode(self.in_order(array)) for array in arrays] for arrays in self.noise],
            "pixels": encode(self.data.pixels, "uint8"),
            "labels": encode(self.data.labels, "uint8"),
            "order": self.order.tolist(),
            "steps": steps,
        }


def load(session, weights, kind):
    """Gives the session's variables weights; works on an imported graph, too."""
    with session.graph.as_default():
        handles = {name: session.graph.get_operation_by_name(name).outputs[0] for name in weights}
        session.run(
            [tf.raw_ops.AssignVariableOp(resource=handles[name], value=weights[name].astype(kind)) for name in weights]
        )


def tensors(model):
    """The numbers among the model's names, by name: the tensors that it makes."""
    found = {name: value for name, value in vars(model).items() if isinstance(value, tf.Tensor)}
    return {name: tensor for name, tensor in found.items() if tensor.dtype in (tf.float32, tf.int32, tf.int64)}


@pytest.mark.parametrize(("slides", "edit"), [*slow_unless(QUICK, CASES), ("slides-27-29", "bayesian-bias")])
def test_values_and_gradients_are_tensorflows_in_double_precision(slides, edit, tmp_path):
    case = Case(text_of(slides, edit), playground.PROGRAMS[slides], 1)
    found = engine(tmp_path, **case.job("double", 0))
    double = in_double(case.graph)
    updates = {op.inputs[0].op.name: op.inputs[9].name for op in operations(double, "ResourceApplyAdam")}
    wanted = {name: tensor.name for name, tensor in tensors(case.model).items()}
    with tf.Session(graph=double) as session:
        session.run(case.initialize.name)
        load(session, case.weights, float)
        values, slopes = session.run([wanted, updates], case.feed(0))
    compared = 0
    for name, value in values.items():
        if name in found["values"]:
            ours = decode(found["values"][name]["value"], found["values"][name]["shape"])
            np.testing.assert_allclose(ours, value, rtol=1e-6, atol=1e-6 * np.abs(value).max(), err_msg=name)
            compared += 1
    assert compared >= 3
    assert set(slopes) == {name for name, slope in found.get("slopes", {}).items() if slope and name in slopes}
    for name, slope in slopes.items():
        ours = decode(found["slopes"][name], slope.shape)
        np.testing.assert_allclose(ours, slope, rtol=0, atol=1e-6 * np.abs(slope).max(), err_msg=name)


VAE = playground.PROGRAMS["slides-22-26"]


def told(tmp_path, *changes):
    """What the engine says of vae.py's code after each change, an (old, new) each, with the line of `new`."""
    texts = []
    for old, new in changes:
        assert VAE.code.count(old) == 1, old
        texts.append(VAE.code.replace(old, new))
    program = playground.describe(VAE) | {"text": "", "code": "", "edits": {}}
    return engine(tmp_path, texts=texts, program=program, kernels="plain")


SUBTRACT = 'tf.subtract(reconstruction, kl, "elbo")'
MISTAKES = {  # an edit, and what TensorFlow 1 or Python say of it, or what the page lacks
    (SUBTRACT, "recontruction - kl"): "NameError: name 'recontruction' is not defined. Did you mean: 'reconstruction'?",
    (SUBTRACT, "reconstruction - - * kl"): "SyntaxError: a value is expected here, not *",
    (SUBTRACT, "reconstruction - tf.cumsum(kl)"): "AttributeError: this page's tf has no cumsum",
    (SUBTRACT, "reconstruction - kl[:3]"): "Dimensions must be equal, but are 100 and 3, with input shapes: [?], [3].",
    (SUBTRACT, "reconstruction if kl > 1 else kl"): "Using a `tf.Tensor` as a Python `bool` is not allowed.",
    (SUBTRACT, "reconstruction - np.log(kl)"): "NotImplementedError: Cannot convert a symbolic tf.Tensor",
    (SUBTRACT, "(lambda a: a)(kl)"): '"lambda" is not in this page\'s Python',
    (SUBTRACT, "tf.constant(1.0)"): "No gradients provided for any variable",
    (SUBTRACT, "reconstruction - tf.cast(kl, tf.int32)"): "have types float32 and int32; tf.cast makes them one",
    ('name="stddev"', 'name="mean"'): "Variable encoder/mean/kernel already exists, disallowed.",
    (
        "[-1, *data_shape]",
        "[-1, 28, 27]",
    ): "Cannot reshape a tensor with 78400 elements (shape [?,784]) to shape [-1,28,27].",
    ('hidden_size, tf.nn.relu, name="hidden")\n    mean', 'hidden_size, tf.nn.relu, nam="hidden")\n    mean'): (
        "dense() got an unexpected keyword argument 'nam'. Did you mean: 'name'?"
    ),
    ("tf.zeros([code_size])", "tf.zeros([images.shape[0], 2])"): "NameError: name 'images' is not defined",
    ("posterior = encoder(images)", "posterior = encoder(tf.zeros([images.shape[0], 784]))"): "a dimension is None",
    (
        "build_graph(code_size=2, hidden_size=100",
        "build_graph(code_size=2, hidden_size=40_000",
    ): "MemoryError: this graph needs",
    ("    return SimpleNamespace(**locals())\n", "    return None\n"): "build_graph must return SimpleNamespace",
}


def test_mistake_is_told_in_a_line_that_names_it_and_its_place(tmp_path):
    found = told(tmp_path, *MISTAKES)
    for (old, new), expected, message in zip(MISTAKES, MISTAKES.values(), found, strict=True):
        assert isinstance(message, str), new
        assert expected in message
        line = VAE.code[: VAE.code.index(old)].count("\n") + 1
        if message.startswith("line") and "No gradients" not in message:  # of a loss that is all right where it stands
            assert message.startswith(f"line {line}: ")


def test_print_shows_a_tensor(tmp_path):
    (printed,) = told(tmp_path, (SUBTRACT, SUBTRACT + "\n    print(kl, posterior, code_size)"))
    assert printed[0].startswith("Tensor(shape=[?], dtype=float32) ")
    assert printed[1:] == ["tfp.distributions.MultivariateNormalDiag", "2"]


PLAIN = """x, total = [1, 2, 3, 4], 0
for n in x[1:]:
    if n == 3:
        total -= 1
    elif n > 3 or not n:
        total += n ** 2
    else: total += 0.5
for a, b in [[1, 2], [3, 4]]: total = total + a * b
def add(first, second=10):
    return first + second
named = {"second": 5}
"""
VALUES = """total; x[-1]; len(x[:2]); x[1:3][1]; -2 ** 2; 2 ** 3 ** 0; 7 // 2; -7 % 3; (1 + 2) * 3 - 4 / 8; sum(x)
1 if total > 28 and not x == [] else 2; add(1); add(second=1, first=2); add(*x[:2]); add(1, **named); named['second']
abs(-3); add(1 < 2, 0 if 1 >= 2 else 3)""".replace("\n", "; ").split("; ")


def test_python_means_what_it_means_in_python(tmp_path):
    """Loops, branches, slices, arguments and the order of signs."""
    names = {}
    exec(PLAIN, names)
    wanted = [float(eval(value, names)) for value in VALUES]
    body = "".join(f"    {line}\n" for line in [*PLAIN.splitlines(), f"print({', '.join(VALUES)})"])
    (printed,) = told(
        tmp_path, ("    return SimpleNamespace(**locals())\n", body + "    return SimpleNamespace(**locals())\n")
    )
    assert isinstance(printed, list), printed
    assert [float(value) for value in printed] == wanted


def test_slide_s_script_is_what_the_page_has():
    for program in playground.PROGRAMS.values():
        assert program.text.count(program.code) == 1


@pytest.mark.parametrize(("slides", "edit"), slow_unless([("slides-22-26", None), ("slides-27-29", None)], TRAINED))
def test_hundred_steps_in_float_are_tensorflows(slides, edit, tmp_path):
    """Their losses, and how the variables have moved, within 1e-3."""
    case = Case(text_of(slides, edit), playground.PROGRAMS[slides], STEPS)
    found = engine(tmp_path, **case.job("wasm", STEPS))
    with case.graph.as_default():
        loss = case.model.loss if hasattr(case.model, "loss") else -tf.reduce_mean(case.model.elbo)
    with tf.Session(graph=case.graph) as session:
        session.run(case.initialize)
        load(session, case.weights, np.float32)
        losses = [session.run([loss, case.model.optimize], case.feed(step))[0] for step in range(STEPS)]
        weights = session.run({name: tensor.value() for name, tensor in case.variables.items()})
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-3)
    for name, value in weights.items():  # together, as Adam makes whole steps of a rounding error where a slope is 0
        moved = value - case.weights[name].astype(np.float32)
        away = decode(found["weights"][name], value.shape) - value
        assert np.linalg.norm(away) <= 2e-2 * max(np.linalg.norm(moved), 1e-3), name


def test_kernels_agree_and_clang_makes_them_of_their_c(tmp_path):
    """Plain JavaScript in float32, and where clang is, the wasm as its C says now."""
    case = Case(VAE.code, VAE, 20)
    losses = engine(tmp_path, **case.job("wasm", 20))["losses"]
    np.testing.assert_allclose(engine(tmp_path, **case.job("plain", 20))["losses"], losses, rtol=1e-5)
    if shutil.which("clang") and shutil.which("wasm-ld"):
        playground.compile_kernels(tmp_path / "kernels.wasm")
        wasm = base64.b64encode((tmp_path / "kernels.wasm").read_bytes()).decode()
        np.testing.assert_allclose(
            engine(tmp_path, **case.job("wasm", 20) | {"wasm": wasm})["losses"], losses, rtol=1e-6
        )


@pytest.mark.slow
def test_bounds_after_an_epoch_are_the_scripts_over_five_seeds(vae_alone, tmp_path):
    """The means differ by no more than two and a half standard errors; on all 60,000 images."""
    train, test = mnist.load("train"), mnist.load("test")
    paths = {"train": train, "test": test}
    for name, data in paths.items():
        (tmp_path / name).write_bytes(data.pixels.tobytes())
    orders = [np.random.default_rng([seed, 1]).permutation(60_000).tolist() for seed in range(5)]  # as the script's
    ours = engine(
        tmp_path,
        text=VAE.code,
        program=playground.describe(VAE) | {"text": "", "code": "", "edits": {}},
        wasm=base64.b64encode((PARTS / "kernels.wasm").read_bytes()).decode(),
        seeds=list(range(5)),
        orders=orders,
        **{name: str(tmp_path / name) for name in paths},
    )
    theirs = [vae.main(epochs=1, seed=seed, logdir=tmp_path / f"run_{seed}")["elbo"] for seed in range(5)]
    print(ours, theirs)
    error = np.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 5)
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=2.5 * error)
