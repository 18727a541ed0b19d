"""TensorFlow 1, as the slides use it, run by TensorFlow 2: the one file that knows of the latter.

    from lecture10_vae.tf1 import tf, tfd

`tf` is `tensorflow.compat.v1` with eager execution off, so that `tf.placeholder`, `tf.layers` and `tf.Session` work as
on the slides. `tfd` is `tensorflow_probability.distributions`, where `tf.contrib.distributions` (slide 13) lives on.
"""

import contextlib
import gc
import os
import random
import tempfile
import warnings

import numpy as np

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # `tf.layers` and TensorFlow Probability need the Keras of before version 3
if os.path.expanduser("~") == "~":  # without a home folder, as some servers run, Keras makes one of that name
    os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp())
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # no GPU, whose numbers differ, unless asked for, as by ...=0


@contextlib.contextmanager
def _held_back_stderr():
    """Holds back what is written to file descriptor 2, and shows it only if an exception passes.

    While it loads, TensorFlow's C++ side writes there before it heeds TF_CPP_MIN_LOG_LEVEL.
    """
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
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


def _set_random_seed(seed: int) -> None:
    """Sets the seed of the default graph: of its initial weights, and of each session's random numbers.

    The legacy Keras behind `tf.layers` draws initial weights from a generator of its own, which TensorFlow's own
    `tf.set_random_seed` does not reach. What is Keras' reseeds Python's and NumPy's generators, too: they keep theirs.
    """
    python, numpy = random.getstate(), np.random.get_state()
    tf_keras.utils.set_random_seed(seed)
    random.setstate(python)
    np.random.set_state(numpy)


tf.set_random_seed = _set_random_seed

__all__ = ["tf", "tfd", "tfp"]
