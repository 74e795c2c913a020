"""Import Keras and its backend without C++ log lines on the page.

The C++ code of TensorFlow and JAX writes directly to file descriptor 2, so neither `warnings` nor a
redirected `sys.stderr` can suppress its lines. Other modules therefore import Keras and TensorFlow
from here: `from helpers.backend import keras, tf`.
"""

import contextlib
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discard what C++ code writes to the error stream within a `with` block."""
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
            # Allocate memory as needed, so that two notebooks can share one GPU. After the
            # program has used the GPU, this setting cannot be changed.
            with contextlib.suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(_gpu, True)
    else:
        tf = None

# Keras's progress bar fills a stored notebook with thousands of control characters.
keras.config.disable_interactive_logging()

__all__ = ["BACKEND", "keras", "silence", "tf"]
