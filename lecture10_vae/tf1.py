"""TensorFlow 1, as the slides use it, run by TensorFlow 2: the one place that knows.

    from lecture10_vae.tf1 import set_random_seed, tf, tfd

`tf` is `tensorflow.compat.v1` with eager execution off, so that `tf.placeholder`, `tf.layers` and `tf.Session` work as
on the slides. `tfd` is `tensorflow_probability.distributions`, where `tf.contrib.distributions` (slide 13) lives on.
"""

import contextlib
import gc
import os
import tempfile
import warnings

# `tf.layers` and TensorFlow Probability need the Keras of before version 3.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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


def set_random_seed(seed: int) -> None:
    """What `tf.set_random_seed` did: makes a graph's initial weights depend on the seed alone.

    The legacy Keras behind `tf.layers` draws them from a generator of its own, which that call does not reach.
    """
    tf_keras.utils.set_random_seed(seed)


__all__ = ["set_random_seed", "tf", "tfd", "tfp"]
