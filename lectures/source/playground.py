"""Makes playground.html: the slides' own TensorFlow 1 code, to edit and to train in the browser, without a network.

    python -m lectures.source.playground

The code is the scripts' own, from their first function to the end of build_graph. The page runs it by a small Python
(playground/python.js) on a static graph (graph.js); the tests hold both against TensorFlow.
"""

import ast
import base64
import re
import subprocess
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from lecture10_vae.utils import command_line, mnist
from lectures.source import modules

HERE = Path(__file__).resolve().parent
PARTS = HERE / "playground"
SCRIPTS = HERE.parents[1] / "lecture10_vae"
TARGET = HERE.parent / "playground.html"
TRAIN, TEST = 10_000, 1_000  # images in the page: the first of each part
COMPILE = [
    "clang",
    "--target=wasm32",
    "-O3",
    "-msimd128",
    "-nostdlib",
    "-fno-builtin",
    "-Wl,--no-entry",
    "-Wl,--import-memory",
]
COMPILE += ["-Wl,--export=__heap_base", "-Wl,--strip-all"]

Edit = list[tuple[str, str]]  # what is replaced in the code, and by what
ELBO = '    elbo = tf.subtract(reconstruction, kl, "elbo")  # [N], nats\n'
STEP = "minimize(-tf.reduce_mean(elbo))"
LOGIT = "logit = tf.matmul(images, posterior.sample()) + bias  # no relu: ten negative logits have no gradient"
KL = "tf.reduce_sum(tfd.kl_divergence(posterior, prior)) / train_size  # []; a mean has 76.5 times the weight"
RELU = (LOGIT, "logit = tf.nn.relu(tf.matmul(images, posterior.sample()) + bias)  # as on slide 28")
MEAN = (KL, "tf.reduce_mean(tfd.kl_divergence(posterior, prior))  # as on slide 29")
WIDE = (
    'tf.get_variable("stddev", [images.shape[1], num_classes], initializer=small)',
    'tf.get_variable("stddev", [images.shape[1], num_classes])',
)


@dataclass
class Program:
    """A script of slides with code, as the page has it.

    Attributes:
        script: its name.
        view: what the page draws of it.
        own: the names of the script's own numbers, means of which its `evaluate` prints.
        numbers: the names of the slide's measures whose means are shown.
        measure: those measures, of whatever the code has become, in lines of the page's own.
        curve: the measure that is drawn as a curve.
        edits: by name, for the page's buttons.
        limit: images to train on, or sets of samples to draw, before the reader asks for more.
    """

    script: str
    view: str
    own: list[str]
    numbers: list[str]
    measure: str
    curve: str
    edits: dict[str, Edit] = field(default_factory=dict)
    limit: int = 60_000

    @property
    def path(self) -> Path:
        return SCRIPTS / f"{self.script}.py"

    @property
    def text(self) -> str:
        """The whole script."""
        return self.path.read_text(encoding="utf-8")

    @property
    def code(self) -> str:
        """Its lines from the first function to the end of build_graph."""
        functions = [node for node in ast.parse(self.text).body if isinstance(node, ast.FunctionDef)]
        (build_graph,) = (node for node in functions if node.name == "build_graph")
        return "".join(self.text.splitlines(keepends=True)[functions[0].lineno - 1 : build_graph.end_lineno])

    @property
    def batch(self) -> int:
        """How many images its main feeds at once."""
        found = re.search(r"^    (?:batch_size|images): int = (\d+),$", self.text, re.MULTILINE)
        return int(found[1])

    def edited(self, name: str) -> str:
        """The code after one of the edits, each of whose places must be there once."""
        code = self.code
        for old, new in self.edits[name]:
            if code.count(old) != 1:
                raise ValueError(f"{self.script}.py has {code.count(old)} of the edit {name}'s {old!r}")
            code = code.replace(old, new)
        return code


PROGRAMS = {
    "slides-13-16": Program(
        "distributions",
        "gaussians",
        ["log_prob", "kl"],
        ["kl"],
        """
mean, stddev, sample = dist.mean(), dist.stddev(), dist.sample()
other_mean, other_stddev = other.mean(), other.stddev()
log_ratio = dist.log_prob(sample) - other.log_prob(sample)
kl = tfd.kl_divergence(dist, other)
""",
        "log_ratio",
        {"other-at-one": [("tf.zeros_like(mean), tf.ones_like", "tf.ones_like(mean), tf.ones_like")]},
        limit=1_000,
    ),
    "slides-17-18": Program(
        "regression",
        "classes",
        ["log_prob", "squared_error"],
        ["log_prob", "squared_error"],
        """
answer = network(inputs).mean()
one_hot = tf.one_hot(digit, 10)
squared_error = tf.reduce_sum((one_hot - answer) ** 2, axis=1)
log_prob = tfd.MultivariateNormalDiag(answer, tf.ones_like(answer)).log_prob(one_hot)
""",
        "accuracy",
        {
            "learn-stddev": [
                (
                    "hidden_size=100, learn_stddev=False, learning_rate",
                    "hidden_size=100, learn_stddev=True, learning_rate",
                )
            ]
        },
    ),
    "slides-19-20": Program(
        "classification",
        "classes",
        ["log_prob"],
        ["log_prob"],
        """
answer = network(inputs).probs_parameter()
log_prob = network(inputs).log_prob(label)
""",
        "accuracy",
        {"no-hidden-layer": [("logit = tf.layers.dense(hidden, 10", "logit = tf.layers.dense(inputs, 10")]},
    ),
    "slides-22-26": Program(
        "vae",
        "codes",
        ["elbo", "reconstruction", "kl"],
        ["bound", "reconstruction", "kl"],
        """
mean, stddev = posterior.mean(), posterior.stddev()
reconstruction = decoder(posterior.sample()).log_prob(images)
kl = tfd.kl_divergence(posterior, tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(mean)))
bound = reconstruction - kl
""",
        "bound",
        {
            "four-kl": [(ELBO, ELBO.replace("kl,", "4 * kl,"))],
            "no-kl": [(ELBO, "    elbo = reconstruction  # [N], nats\n")],
            "mean-over-pixels": [
                ("dist.log_prob(images)  # [N], nats", "dist.log_prob(images) / (28 * 28)  # [N], nats a pixel")
            ],
            "free-bits": [(ELBO, ELBO.replace("kl,", "tf.maximum(kl, 8),"))],
            "warm-up": [
                (
                    ELBO,
                    "    step = tf.train.get_or_create_global_step()  # which optimize counts\n"
                    "    weight = tf.minimum(1.0, tf.cast(step, tf.float32) / 600)\n"
                    + ELBO.replace("kl,", "weight * kl,"),
                ),
                (STEP, STEP.replace("))", "), step)")),
            ],
            "iwae": [
                (
                    ELBO,
                    "    codes = posterior.sample(5)  # [5, N, code_size]\n"
                    "    likelihood = decoder(codes).log_prob(tf.tile(images, [5, 1, 1]))  # [5 * N]\n"
                    "    weight = tf.reshape(likelihood, [5, -1]) + prior.log_prob(codes) - posterior.log_prob(codes)\n"
                    "    elbo = tf.reduce_logsumexp(weight, 0) - np.log(5)  # [N], nats\n",
                )
            ],
            "tanh": [
                ("tf.layers.dense(images, hidden_size, tf.nn.relu", "tf.layers.dense(images, hidden_size, tf.nn.tanh"),
                ("tf.layers.dense(code, hidden_size, tf.nn.relu", "tf.layers.dense(code, hidden_size, tf.nn.tanh"),
            ],
            "twenty-units": [("build_graph(code_size=2, hidden_size=100", "build_graph(code_size=2, hidden_size=20")],
        },
    ),
    "slides-27-29": Program(
        "bayesian_network",
        "weights",
        ["elbo", "log_prob", "kl"],
        ["log_prob", "kl"],
        """
dist, posterior, prior = network(images)
answer = dist.probs_parameter()
log_prob = tf.reduce_mean(dist.log_prob(label))
kl = tf.reduce_sum(tfd.kl_divergence(posterior, prior)) / 60_000
bound = log_prob - kl
weight_mean, weight_stddev = posterior.mean(), posterior.stddev()
""",
        "accuracy",
        {"relu": [RELU], "mean-of-kl": [MEAN], "as-printed": [RELU, MEAN, WIDE]},
        limit=900_000,
    ),
}


def compile_kernels(target: Path) -> None:
    """Makes kernels.wasm of kernels.c; clang and lld must be there."""
    subprocess.run([*COMPILE, "-o", target, PARTS / "kernels.c"], check=True)


def describe(program: Program) -> dict:
    """A program as the page's scripts have it."""
    return {
        "script": program.script,
        "view": program.view,
        "batch": program.batch,
        "own": program.own,
        "numbers": program.numbers,
        "curve": program.curve,
        "limit": program.limit,
        "measure": program.measure,
        "text": program.text,
        "code": program.code,
        "edits": {name: program.edited(name) for name in program.edits},
    }


def pack(data: mnist.Dataset) -> dict[str, str]:
    """Images and labels as bytes, deflated, in base64."""
    parts = {"pixels": data.pixels.tobytes(), "labels": data.labels.astype("uint8").tobytes()}
    return {name: base64.b64encode(zlib.compress(part, 9)).decode("ascii") for name, part in parts.items()}


def main(target: Path = TARGET) -> None:
    """Makes the page that trains the slides' code.

    Args:
        target: the page's file.
    """
    recorded = {
        "programs": {name: describe(program) for name, program in PROGRAMS.items()},
        "data": {"train": pack(mnist.load("train").first(TRAIN)), "test": pack(mnist.load("test").first(TEST))},
        "kernels": base64.b64encode((PARTS / "kernels.wasm").read_bytes()).decode("ascii"),
        "worker": modules.join(PARTS / "worker.js"),
    }
    styles = [HERE / "explorer" / "style.css", PARTS / "style.css"]
    modules.write_page(target, PARTS, "page_main", styles, recorded, names=list(PROGRAMS))


if __name__ == "__main__":
    command_line.run(main)
