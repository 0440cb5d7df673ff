"""tf.data: a crop that is decoded alone, and antialiased bicubic (see stream.py)."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from stream import BATCH, RATIO, SCALE, SIDE, cores, serve  # noqa: E402


def cut(data, top, left, height, width):
    picture = tf.image.decode_and_crop_jpeg(data, tf.stack([top, left, height, width]), channels=3, dct_method="INTEGER_ACCURATE")
    small = tf.image.resize(picture, [SIDE, SIDE], tf.image.ResizeMethod.BICUBIC, antialias=True)
    return tf.saturate_cast(tf.round(small), tf.uint8)


def augmented(path):
    data = tf.io.read_file(path)
    shape = tf.image.extract_jpeg_shape(data)
    start, size, _ = tf.image.sample_distorted_bounding_box(
        shape, tf.zeros([0, 0, 4]), min_object_covered=0.0, aspect_ratio_range=RATIO, area_range=SCALE, use_image_if_no_bounding_boxes=True)
    picture = cut(data, start[0], start[1], size[0], size[1])
    return tf.image.random_flip_left_right(picture)


def open_stream(folder, files, setting):
    paths = [os.path.join(folder, file) for file in files]
    calls = tf.data.AUTOTUNE if setting["calls"] == "auto" else setting["calls"]
    pictures = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths)).repeat()
    pictures = pictures.map(augmented, calls, deterministic=False).batch(BATCH, drop_remainder=True).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = setting["threads"]
    options.threading.max_intra_op_parallelism = 1
    options.deterministic = False
    for batch in pictures.with_options(options):
        yield batch


def render(path, left, top, width, height):
    return cut(tf.io.read_file(path), top, left, height, width).numpy()


if __name__ == "__main__":
    settings = [{"calls": calls, "threads": threads} for threads in (cores(), 2 * cores()) for calls in (cores(), 4 * cores(), "auto")]
    serve({"version": f"TensorFlow {tf.__version__}", "settings": settings}, open_stream, render)
