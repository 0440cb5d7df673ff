"""SPDL: FFmpeg decodes, cuts and resizes in one graph of filters, in threads (see stream.py)."""
import os
import random

import numpy as np
import spdl.io
import spdl.pipeline

from stream import BATCH, SIDE, cores, jpeg_size, random_box, serve


def graph(left, top, width, height, mirrored=False):
    """FFmpeg's bicubic widens its window when it shrinks. Cut and resized before the colours are made RGB, `exact` and with all of the chroma."""
    flip = ",hflip" if mirrored else ""
    return f"crop={width}:{height}:{left}:{top}:exact=1,scale={SIDE}:{SIDE}:flags=bicubic+full_chroma_int{flip}"


def frames(data, box, mirrored=False):
    return spdl.io.decode_packets(spdl.io.demux_image(data), spdl.io.get_video_filter_desc(filter_desc=graph(*box, mirrored), pix_fmt="rgb24"))


rng = np.random.default_rng()


def cut(path):
    with open(path, "rb") as file:
        data = file.read()
    return frames(data, random_box(rng, *jpeg_size(data)), rng.uniform() < 0.5)


def batch(pictures):
    return spdl.io.to_numpy(spdl.io.convert_frames(pictures))


def endless(paths):
    while True:
        random.shuffle(paths)
        yield from paths


def open_stream(folder, files, setting):
    paths = [os.path.join(folder, file) for file in files]
    threads = setting["threads"]
    builder = spdl.pipeline.PipelineBuilder().add_source(endless(paths))
    builder = builder.pipe(cut, concurrency=threads).aggregate(BATCH, drop_last=True).pipe(batch).add_sink(2)
    built = builder.build(num_threads=threads + 1)
    with built.auto_stop():
        yield from built


def render(path, *box):
    with open(path, "rb") as file:
        return batch([frames(file.read(), box)])[0]


if __name__ == "__main__":
    import importlib.metadata
    settings = [{"threads": threads} for threads in sorted({cores(), 2 * cores(), 4 * cores(), 8})]
    serve({"version": f"SPDL {importlib.metadata.version('spdl')}", "settings": settings}, open_stream, render)
