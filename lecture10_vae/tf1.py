"""TensorFlow 1, as the slides use it, run by TensorFlow 2: the one place that knows.

    from lecture10_vae.tf1 import tf, tfd

`tf` is `tensorflow.compat.v1` with eager execution off, so that `tf.placeholder`, `tf.layers` and `tf.Session` work as
on the slides. `tfd` is `tensorflow_probability.distributions`, where `tf.contrib.distributions` (slide 13) lives on.
`each_batch` makes a slide's own gradient step fast.
"""

import contextlib
import gc
import os
import tempfile
import warnings

import numpy as np

# `tf.layers` and TensorFlow Probability need the Keras of before version 3.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # no GPU, whose numbers differ, unless asked for, as by ...=0


def _temporary_file():
    try:
        return tempfile.TemporaryFile()
    except OSError:  # there is no room for one
        return open(os.devnull, "r+b")


@contextlib.contextmanager
def _held_back_stderr():
    """Holds back what is written to file descriptor 2, and shows it only if an exception passes.

    While it loads, TensorFlow's C++ side writes there before it heeds TF_CPP_MIN_LOG_LEVEL.
    """
    stderr = os.dup(2)
    with _temporary_file() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


gc.disable()  # a fifth of the import's time would go into looking for garbage among all that is new
with _held_back_stderr():
    import tensorflow.compat.v1 as tf
    import tensorflow_probability as tfp
    import tf_keras

    tfd = tfp.distributions
    tfd.Distribution  # noqa: B018 (it is this look-up that loads the module)
gc.enable()
gc.freeze()  # and later searches leave it out

tf.disable_eager_execution()
tf.logging.set_verbosity(tf.logging.ERROR)
warnings.filterwarnings("ignore", message=r"`tf\.layers\.\w+` is deprecated")

BATCHES_PER_RUN = 100  # mini-batches a session.run: enough to make its cost small, and to see the progress bar move


def set_random_seed(seed: int) -> None:
    """What `tf.set_random_seed` did: makes a graph's initial weights depend on the seed alone.

    The legacy Keras behind `tf.layers` draws them from a generator of its own, which that call does not reach.
    """
    tf_keras.utils.set_random_seed(seed)


def each_batch(fetch: tf.Operation | tf.Tensor, batch_size: int, feeds: dict[tf.Tensor, tf.Tensor]):
    """One operation that does a gradient step on mini-batch after mini-batch of what is fed to a single session.run.

    The step is not written a second time: the part of the graph that `optimize` needs is copied into the body of a
    loop, which XLA compiles; the variables stay outside. For small networks most of the time goes to Python and
    TensorFlow's scheduler, which then work once for many mini-batches.

        images = tf.placeholder(tf.float32, [None, 28, 28])                          # slide 22
        optimize = tf.train.AdamOptimizer().minimize(-elbo)
        pixels = tf.placeholder(tf.uint8, [None, 28, 28])
        optimize_batches = each_batch(optimize, 100, {images: pixels})

    Args:
        fetch: a gradient step; or a tensor, whose values come back, with the mini-batches as a new first axis.
        batch_size: how many rows of the first array make a mini-batch. Feed a multiple, or fewer: one mini-batch.
        feeds: for each placeholder that is needed, or any other tensor, what is cut along its first axis into
            as many parts as there are mini-batches; a scalar is for all. Bytes in a float's place turn into [0, 1].
    """
    graph, gives_values = fetch.graph, isinstance(fetch, tf.Tensor)
    program = tf.graph_util.extract_sub_graph(graph.as_graph_def(), [fetch.op.name if gives_values else fetch.name])
    with tf.name_scope("each_batch"):
        count = tf.maximum(tf.shape(next(iter(feeds.values())))[0] // batch_size, 1)
        feeds = _draw_normals(graph, program, count) | feeds
        variables = [graph.get_tensor_by_name(f"{node.name}:0") for node in program.node if node.op == "VarHandleOp"]
        program = _without(program, {tensor.op.name for tensor in (*feeds, *variables)})
        result = _loop(program, fetch, list(feeds), variables)(count, *feeds.values())
        return result if gives_values else result.op


def _loop(program: tf.GraphDef, fetch: tf.Operation | tf.Tensor, fed: list[tf.Tensor], variables: list[tf.Tensor]):
    """A function of the number of mini-batches and what is fed: the values of a tensor, or how often it was done."""
    gives_values = isinstance(fetch, tf.Tensor)

    @tf.function(jit_compile=True, autograph=False)
    def loop(count, *arrays):
        parts = [_cut(array, count) for array in arrays]

        def step(i, values):
            inputs = {variable.name: tf.identity(variable) for variable in variables}
            for tensor, part in zip(fed, parts, strict=True):
                inputs[tensor.name] = _like(tf.ensure_shape(part[i], tensor.shape), tensor)
            (done,) = tf.import_graph_def(program, inputs, [fetch.name], name="optimize")
            if gives_values:
                return i + 1, values.write(i, done)
            with tf.control_dependencies([done]):
                return i + 1, values

        values = tf.TensorArray(fetch.dtype if gives_values else tf.bool, count)
        steps, values = tf.while_loop(lambda i, _: i < count, step, [0, values])
        return values.stack() if gives_values else steps

    return loop


def _draw_normals(graph: tf.Graph, program: tf.GraphDef, count: tf.Tensor) -> dict[tf.Tensor, tf.Tensor]:
    """The program's random tensors of a known shape, weights, say, each with one draw for `count` mini-batches.

    XLA's generator takes longer for a layer's weights than the layer itself takes; TensorFlow's does not.
    """
    draws = {}
    for node in program.node:
        normal = graph.get_operation_by_name(node.name)
        if normal.type == "StatelessRandomNormalV2" and normal.outputs[0].shape.is_fully_defined():
            _, key, counter, algorithm = normal.inputs
            rows, *others = normal.outputs[0].shape.as_list()
            shape = tf.stack([count * rows, *others])
            draws[normal.outputs[0]] = tf.raw_ops.StatelessRandomNormalV2(
                shape=shape, key=key, counter=counter, alg=algorithm
            )
    return draws


def _without(program: tf.GraphDef, names: set[str]) -> tf.GraphDef:
    """The program without the nodes that stay outside of it."""
    nodes = [node for node in program.node if node.name not in names]
    for node in nodes:
        node.attr.pop("_class", None)  # its place beside a variable, which stays outside
    return tf.GraphDef(node=nodes, versions=program.versions, library=program.library)


def _cut(array: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The array in `count` equal parts along a new first axis; a scalar as often."""
    if array.shape.rank == 0:
        return tf.fill([count], array)
    return tf.reshape(array, tf.concat([[count, -1], tf.shape(array)[1:]], axis=0))


def _like(batch: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """The batch with the tensor's type; bytes turn into floats in [0, 1]."""
    return batch if batch.dtype == tensor.dtype else tf.image.convert_image_dtype(batch, tensor.dtype)


def run_in_parts(
    session: tf.Session, tensor: tf.Tensor, feeds: dict[tf.Tensor, np.ndarray], size: int = 1_000
) -> np.ndarray:
    """What session.run makes of a tensor with a row for each image fed, from `size` images at a time: less memory."""
    count = len(next(iter(feeds.values())))
    parts = (slice(start, start + size) for start in range(0, count, size))
    fed = ({placeholder: array[part] for placeholder, array in feeds.items()} for part in parts)
    return np.concatenate([session.run(tensor, some) for some in fed])


__all__ = ["BATCHES_PER_RUN", "each_batch", "run_in_parts", "set_random_seed", "tf", "tfd", "tfp"]
