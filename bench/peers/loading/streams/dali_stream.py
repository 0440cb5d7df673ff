"""DALI without a GPU: a pipeline with `device_id=None` (see stream.py)."""
import math
import os

import numpy as np
import nvidia.dali
from nvidia.dali import fn, pipeline_def, types

from stream import BATCH, RATIO, SCALE, SIDE, cores, serve

DECODERS = {"decoders": fn.decoders, "experimental.decoders": fn.experimental.decoders}


def resized(picture):
    return fn.resize(picture, size=[SIDE, SIDE], interp_type=types.INTERP_CUBIC, antialias=True)


@pipeline_def(batch_size=BATCH, device_id=None)
def pipeline(files, decoder):
    bytes_, _ = fn.readers.file(files=files, random_shuffle=True, initial_fill=len(files), dont_use_mmap=False, name="files")
    picture = DECODERS[decoder].image_random_crop(bytes_, device="cpu", random_area=list(SCALE), random_aspect_ratio=list(RATIO), output_type=types.RGB)
    return fn.flip(resized(picture), horizontal=fn.random.coin_flip())


def open_stream(folder, files, setting):
    paths = [os.path.join(folder, file) for file in files]
    built = pipeline(paths, setting["decoder"], num_threads=setting["threads"], prefetch_queue_depth=setting["ahead"], exec_dynamic=setting["dynamic"])
    built.build()
    while True:
        (batch,) = built.run()
        yield np.asarray(batch.as_tensor())


@pipeline_def(batch_size=1, num_threads=1, device_id=None, prefetch_queue_depth=1)
def one(decoder):
    bytes_, start, shape = (fn.external_source(name=name) for name in ("bytes", "start", "shape"))
    picture = DECODERS[decoder].image_slice(bytes_, start, shape, device="cpu", output_type=types.RGB, axis_names="WH", normalized_anchor=False, normalized_shape=False)
    return resized(picture)


ones = {}


def render(path, left, top, width, height):
    if not ones:
        ones["one"] = one("decoders")
        ones["one"].build()
    built = ones["one"]
    built.feed_input("bytes", [np.fromfile(path, np.uint8)])
    built.feed_input("start", [np.array([left, top], np.float32)])
    built.feed_input("shape", [np.array([width, height], np.float32)])
    return np.asarray(built.run()[0].as_tensor())[0]


if __name__ == "__main__":
    settings = [
        {"threads": threads, "decoder": decoder, "ahead": 2, "dynamic": dynamic}
        for threads, dynamic in ((cores(), False), (cores(), True), (2 * cores(), False))
        for decoder in DECODERS
    ]
    serve({"version": f"DALI {nvidia.dali.__version__}", "settings": settings}, open_stream, render)
