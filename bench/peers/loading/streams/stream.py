"""What the loaders of others have in common: an endless stream of batches that is asked for a turn at a time.

Each line on stdin is a request in JSON, each line on stdout its answer; the first line is the hello, with versions and the settings to try.
{"open": {"files", "folder", "setting"}}: opens the stream over the files, shuffled, again and again: random resized crops (scale 0.2 to 1, ratio
    3/4 to 4/3) to 224 px, or what SIDE says, half of them mirrored, in batches of 64 that are uint8 and hold what one image of 224 x 224 x 3 holds each.
{"turn": {"skip", "batches"}}: takes `skip` batches, then so many on the clock: {"ms", "images"}. What was made ahead is used up by those skipped.
{"pixels": {"items": [[file, left, top, width, height, mirrored]], "out"}}: the boxes, rendered as the stream renders, uint8 [n, 224, 224, 3] in `out`.
"""
import json
import os
import sys
import time

import numpy as np

SIDE, BATCH = int(os.environ.get("SIDE", "224")), 64
SCALE, RATIO = (0.2, 1.0), (3 / 4, 4 / 3)
# More than any bench takes: a stream over the files again and again.
MANY = 1 << 22


def cores():
    return len(os.sched_getaffinity(0))


def worker_counts(*others):
    return sorted({1, cores(), *others})


def random_box(rng, width, height):
    """torchvision's way to draw a box: [left, top, width, height]."""
    area = width * height
    for _ in range(10):
        target = area * rng.uniform(*SCALE)
        ratio = np.exp(rng.uniform(np.log(RATIO[0]), np.log(RATIO[1])))
        w, h = round((target * ratio) ** 0.5), round((target / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1)), w, h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def jpeg_size(data):
    """[width, height] from the header of a JPEG."""
    at = 2
    while True:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7:at + 9], "big"), int.from_bytes(data[at + 5:at + 7], "big")
        at += 2 + length


def check(batch):
    shape = tuple(batch.shape)
    if len(shape) != 4 or shape[0] != BATCH or sorted(shape[1:]) != [3, SIDE, SIDE] or "uint8" not in str(batch.dtype):
        raise ValueError(f"a batch of {batch.dtype} {shape}")


def say(answer):
    print(json.dumps(answer), flush=True)


def serve(hello, open_stream, render):
    """`open_stream(folder, files, setting)` gives an endless iterator of batches, `render(path, left, top, width, height)` uint8 [224, 224, 3]."""
    say(hello)
    stream = None
    for line in sys.stdin:
        ((name, request),) = json.loads(line).items()
        try:
            if name == "open":
                if hasattr(stream, "close"):
                    stream.close()
                stream = None
                stream = iter(open_stream(**request))
                answer = {}
            elif name == "turn":
                answer = turn(stream, **request)
            else:
                answer = pixels(render, **request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        say(answer)


def turn(stream, skip, batches):
    for _ in range(skip):
        check(next(stream))
    begun = time.perf_counter()
    for _ in range(batches):
        check(next(stream))
    return {"ms": (time.perf_counter() - begun) * 1000, "images": batches * BATCH}


def pixels(render, items, out):
    made = np.empty((len(items), SIDE, SIDE, 3), np.uint8)
    for i, (file, left, top, width, height, mirrored) in enumerate(items):
        made[i] = render(file, left, top, width, height)
        if mirrored:
            made[i] = made[i][:, ::-1].copy()
    made.tofile(out)
    return {}
