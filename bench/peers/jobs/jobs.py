"""What others do to make files of pictures out of files of pictures: OpenCV as img2dataset has it, and Pillow, in so many processes.

Each line on stdin is a request in JSON, each line on stdout its answer; the first line is the hello, with versions and the settings to try.
{"job": {"from": folder | path, "to": folder, "out": "files" | "tars", "format": "jpg" | "png", "size", "quality", "optimize"?, "setting"}}: one pass, into a folder that is
    empty: {"ms", "count", "bytes"}. From a folder of JPEGs, whose pictures become size x size px; or from an .npy of uint8 [n, H, W] or [n, H, W, 3], whose pictures
    stay as they are where they have that size.
"""
import io
import json
import multiprocessing
import os
import sys
import tarfile
import time

import cv2
import numpy as np
import PIL.Image as Image

cv2.setNumThreads(1)
SETTINGS = {
    "opencv": [{"by": "opencv", "processes": n, "reduced": reduced} for n in (1, 2, 4) for reduced in (False, True)],
    "pillow": [{"by": "pillow", "processes": n, "level": level} for n in (1, 2, 4) for level in (1, 6)],
}
pools = {}
arrays = {}


def say(answer):
    print(json.dumps(answer), flush=True)


def read_opencv(path, size, reduced):
    with open(path, "rb") as file:
        data = np.frombuffer(file.read(), np.uint8)
    # Decoded at half its size where that is still large enough.
    flags = cv2.IMREAD_COLOR
    if reduced and min(jpeg_size(data)) >= 2 * size:
        flags = cv2.IMREAD_REDUCED_COLOR_2
    return cv2.resize(cv2.imdecode(data, flags), (size, size), interpolation=cv2.INTER_AREA)


def jpeg_size(data):
    at = 2
    while True:
        marker, length = data[at + 1], int(data[at + 2]) << 8 | int(data[at + 3])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int(data[at + 7]) << 8 | int(data[at + 8]), int(data[at + 5]) << 8 | int(data[at + 6])
        at += 2 + length


def encode_opencv(pixels, job):
    if job["format"] == "jpg":
        settings = [cv2.IMWRITE_JPEG_QUALITY, job["quality"]]
        if job.get("optimize"):
            settings += [cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        return cv2.imencode(".jpg", pixels, settings)[1].tobytes()
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, job["setting"].get("level", 1)])[1].tobytes()


def read_pillow(path, size, reduced):
    with Image.open(path) as image:
        if reduced:
            image.draft("RGB", (2 * size, 2 * size))
        return image.convert("RGB").resize((size, size), Image.BICUBIC)


def encode_pillow(image, job):
    out = io.BytesIO()
    if job["format"] == "jpg":
        image.save(out, "JPEG", quality=job["quality"])
    else:
        image.save(out, "PNG", compress_level=job["setting"]["level"])
    return out.getvalue()


def made(job, i, item):
    """The name and the bytes of a file."""
    size, setting = job["size"], job["setting"]
    by_opencv = setting["by"] == "opencv"
    if isinstance(item, str):
        read = read_opencv if by_opencv else read_pillow
        picture = read(item, size, setting.get("reduced", True))
    elif by_opencv:
        picture = item if item.ndim == 2 else item[:, :, ::-1]
    else:
        picture = Image.fromarray(item)
    encode = encode_opencv if by_opencv else encode_pillow
    return f"{i:06d}.{job['format']}", encode(picture, job)


def items_of(job):
    source = job["from"]
    if not source.endswith(".npy"):
        return [os.path.join(source, name) for name in sorted(os.listdir(source))]
    if source not in arrays:
        arrays[source] = np.load(source, mmap_mode="r")
    return arrays[source]


def work(task):
    job, first, end = task
    items = items_of(job)
    total = 0
    if job["out"] == "files":
        for i in range(first, end):
            name, data = made(job, i, items[i])
            with open(os.path.join(job["to"], name), "wb") as file:
                file.write(data)
            total += len(data)
        return total
    with tarfile.open(os.path.join(job["to"], f"{first:06d}.tar"), "w") as tar:
        for i in range(first, end):
            name, data = made(job, i, items[i])
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
            total += len(data)
    return total


def run(job):
    processes = job["setting"]["processes"]
    if processes not in pools:
        pools[processes] = multiprocessing.get_context("fork").Pool(processes)
    count = len(items_of(job))
    # Tars of as many as img2dataset would have, or fewer, so that every process has its share.
    step = max(1, min(10000, count // (4 * processes)))
    tasks = [(job, first, min(first + step, count)) for first in range(0, count, step)]
    begun = time.perf_counter()
    total = sum(pools[processes].imap_unordered(work, tasks))
    return {"ms": (time.perf_counter() - begun) * 1000, "count": count, "bytes": total}


say({"settings": SETTINGS, "version": f"OpenCV {cv2.__version__}, Pillow {Image.__version__}"})
for line in sys.stdin:
    try:
        say(run(json.loads(line)["job"]))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
