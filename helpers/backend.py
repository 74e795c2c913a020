"""Import Keras and its backend without a C++ log line reaching the page.

TensorFlow and JAX write to file descriptor 2 below Python, so neither `warnings` nor a
redirected `sys.stderr` can hold their lines back. This module is the one place that imports
them; other modules write `from helpers.backend import keras, tf`.
"""

import contextlib
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Send what C++ code writes to the error stream to nowhere for the length of a block."""
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


with silence():
    import keras

    BACKEND = keras.backend.backend()
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # its notices on retracing are for maintainers
        for _gpu in tf.config.list_physical_devices("GPU"):
            # Take memory as it is needed, so that two notebooks share one card. Once the
            # program has used the GPU, its setting is fixed and stays as it is.
            with contextlib.suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(_gpu, True)
    else:
        tf = None

# Keras's own progress bar fills a stored notebook with thousands of control characters.
keras.config.disable_interactive_logging()

__all__ = ["BACKEND", "keras", "silence", "tf"]
