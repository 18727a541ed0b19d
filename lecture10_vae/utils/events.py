"""TensorBoard's events, a file an epoch: <part>/epoch-<n>.tfevents.

TensorBoard reads a folder's files in the order of their names, so that no clock matters, and a file that is missing or
damaged can be made anew by itself.
"""

import time
from pathlib import Path

from lecture10_vae.tf1 import tf
from lecture10_vae.utils.files import written_whole


def path_of(folder: Path, number: int) -> Path:
    """The file of an epoch, or step."""
    return folder / f"epoch-{number:06d}.tfevents"


def scalars(numbers: dict[str, float], number: int) -> tf.Event:
    """Numbers by name, as points of curves."""
    values = [tf.Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
    return tf.Event(wall_time=time.time(), step=number, summary=tf.Summary(value=values))


def summary(content: bytes, number: int) -> tf.Event:
    """What `tf.summary` made."""
    return tf.Event(wall_time=time.time(), step=number, summary=tf.Summary.FromString(content))


def graph(definition: tf.GraphDef) -> tf.Event:
    """A graph for the page Graphs."""
    return tf.Event(wall_time=time.time(), graph_def=definition.SerializeToString())


def configuration(config: dict) -> tf.Event:
    """The configuration for the pages HParams and Text."""
    from tensorboard.plugins.hparams.summary import session_start_pb

    plain = {name: value for name, value in config.items() if isinstance(value, bool | int | float | str)}
    rows = "".join(f"| {name} | {value} |\n" for name, value in plain.items())
    text = tf.make_tensor_proto("| | |\n|---|---|\n" + rows)
    metadata = tf.SummaryMetadata(plugin_data=tf.SummaryMetadata.PluginData(plugin_name="text"))
    values = [*session_start_pb(plain).value, tf.Summary.Value(tag="configuration", tensor=text, metadata=metadata)]
    return tf.Event(wall_time=time.time(), summary=tf.Summary(value=values))


def write(folder: Path, number: int, events: list[tf.Event]) -> None:
    """Writes the file of an epoch, whole or not at all."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    with written_whole(path_of(folder, number)) as file:
        records = RecordWriter(file)
        records.write(tf.Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        for event in events:
            records.write(event.SerializeToString())


def holds(folder: Path, number: int, numbers: dict[str, float]) -> bool:
    """Whether the file of an epoch can be read to its end, and has a point for each of the numbers."""
    try:
        records = [*tf.io.tf_record_iterator(str(path_of(folder, number)))]
    except tf.errors.OpError:
        return False
    return numbers.keys() <= {value.tag for record in records for value in tf.Event.FromString(record).summary.value}
