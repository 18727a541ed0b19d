"""A gradient step for each mini-batch of what is fed, in one session.run.

    optimize = each_batch(model.optimize, 100, [model.images])
    session.run(optimize, {model.images: images})  # 10,000 images: a hundred steps

For networks as small as the lecture's, most of the time goes to Python and to TensorFlow's scheduler, once a
session.run. So the part of the graph that the step needs is copied into the body of a loop, which XLA compiles; the
variables stay outside. The slide's line is still the one that trains.
"""

from lecture10_vae.tf1 import tf

OUTSIDE = {"VarHandleOp", "Placeholder", "PlaceholderWithDefault"}  # variables, and what is fed
RANDOM = {"RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal"}


def each_batch(
    fetch: tf.Operation | tf.Tensor, batch_size: int, cut: list[tf.Tensor], plain: bool = False
) -> tf.Operation | tf.Tensor:
    """One operation that does `fetch` for mini-batch after mini-batch.

    Args:
        fetch: a gradient step; or a tensor, whose values come back with the mini-batches as a new first axis.
        batch_size: rows in a mini-batch; the rows that are fed must be a multiple of it.
        cut: the placeholders that are cut along their first axis. Others have the same value for all mini-batches.
        plain: the same loop without XLA: slower, but with any operation that TensorFlow has, tf.print, say.
    """
    gives_values = isinstance(fetch, tf.Tensor)
    program = tf.graph_util.extract_sub_graph(
        fetch.graph.as_graph_def(), [fetch.op.name if gives_values else fetch.name]
    )
    with tf.name_scope("each_batch"):
        parts = {tensor: _cut(tensor, batch_size, tf.shape(cut[0])[0]) for tensor in cut}
        parts |= _draw(program, fetch.graph, parts)
        outside = (fetch.graph.get_tensor_by_name(f"{node.name}:0") for node in program.node if node.op in OUTSIDE)
        shared = [tensor for tensor in outside if tensor not in parts]
        program = _without(program, {tensor.op.name for tensor in (*parts, *shared)})
        result = _loop(program, fetch, list(parts), shared, plain)(*parts.values())
        return result if gives_values else result.op


def _cut(array: tf.Tensor, batch_size: int, count: tf.Tensor) -> tf.Tensor:
    """The rows of an array, `count` as of all others, as mini-batches: [count / batch_size, batch_size, ...]."""
    rows = tf.shape(array)[0]
    message = [f"{array.op.name} needs a multiple of {batch_size} rows, and as many as the others, but is fed", rows]
    fits = tf.reduce_all([rows > 0, tf.equal(rows % batch_size, 0), tf.equal(rows, count)])
    with tf.control_dependencies([tf.Assert(fits, message)]):
        return tf.reshape(array, [-1, batch_size, *array.shape[1:]])


def _draw(program: tf.GraphDef, graph: tf.Graph, parts: dict[tf.Tensor, tf.Tensor]) -> dict[tf.Tensor, tf.Tensor]:
    """The program's random tensors, each drawn for all mini-batches at once: [count, ...].

    Outside of the loop, as TensorFlow's generator keeps to the seed, and takes less time than XLA's. What has a shape
    that does not follow from the mini-batches' is left to XLA.
    """
    with tf.Graph().as_default() as of_one:  # where a mini-batch's shapes follow from each other
        images = {tensor.name: tf.placeholder(part.dtype, part.shape[1:]) for tensor, part in parts.items()}
        tf.import_graph_def(program, images, name="")
    count = tf.shape(next(iter(parts.values())))[:1]
    draws = {}
    for node in program.node:
        if node.op in RANDOM and (shape := of_one.get_tensor_by_name(f"{node.name}:0").shape).is_fully_defined():
            random = graph.get_operation_by_name(node.name)
            shapes = tf.concat([count, shape.as_list()], axis=0)
            draws[random.outputs[0]] = graph.create_op(
                node.op,
                [tf.cast(shapes, random.inputs[0].dtype), *random.inputs[1:]],
                [random.outputs[0].dtype],
                attrs=node.attr,
            ).outputs[0]
    return draws


def _without(program: tf.GraphDef, names: set[str]) -> tf.GraphDef:
    """The program without the nodes that stay outside of it."""
    nodes = [node for node in program.node if node.name not in names]
    for node in nodes:
        node.attr.pop("_class", None)  # its place beside a variable, which stays outside
    return tf.GraphDef(node=nodes, versions=program.versions, library=program.library)


def _loop(program: tf.GraphDef, fetch, cut: list[tf.Tensor], shared: list[tf.Tensor], plain: bool):
    """A function of the mini-batches: the values of a tensor, or how many steps were done."""
    gives_values = isinstance(fetch, tf.Tensor)

    @tf.function(jit_compile=not plain, autograph=False)
    def loop(*parts):
        count = tf.shape(parts[0])[0]

        def step(i, values):
            inputs = {tensor.name: tf.identity(tensor) for tensor in shared}
            inputs |= {tensor.name: part[i] for tensor, part in zip(cut, parts, strict=True)}
            (done,) = tf.import_graph_def(program, inputs, [fetch.name], name="optimize")
            if gives_values:
                return i + 1, values.write(i, done)
            with tf.control_dependencies([done]):
                return i + 1, values

        values = tf.TensorArray(fetch.dtype if gives_values else tf.bool, count)
        steps, values = tf.while_loop(lambda i, _: i < count, step, [0, values])
        return values.stack() if gives_values else steps

    return loop
