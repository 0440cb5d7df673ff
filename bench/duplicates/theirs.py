"""Hashes of PyPI's imagehash and imagededup over a folder: what each finds at its best threshold.

python theirs.py FOLDER PLANTED.json prints a line of JSON for each method: the loosest threshold at which at least 99 % of the pairs that it gives are planted, and
how many of each kind of change it then finds. Pairs are compared here, all with all, in blocks: a hash is what the packages are asked for. imagehash's
crop_resistant_hash is left out: it takes 0.17 s for each picture and each processor, and reached this precision at no threshold on 2,600 pictures.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import imagehash
import numpy as np
from PIL import Image

ONE = {
    "imagehash average_hash 8": lambda im: imagehash.average_hash(im),
    "imagehash phash 8": lambda im: imagehash.phash(im),
    "imagehash phash 16": lambda im: imagehash.phash(im, hash_size=16),
    "imagehash dhash 8": lambda im: imagehash.dhash(im),
    "imagehash dhash 16": lambda im: imagehash.dhash(im, hash_size=16),
    "imagehash whash 8": lambda im: imagehash.whash(im),
}
WORKERS = os.cpu_count() or 1


def open_picture(path):
    return Image.open(path).convert("RGB")


def hash_one(task):
    name, path = task
    return np.packbits(ONE[name](open_picture(path)).hash.flatten())


def distances_of(hashes, most):
    """How many pairs there are at each distance from 0 to most, and the bits of each picture."""
    bits = np.unpackbits(hashes, axis=1)
    signs = bits.astype(np.float32) * 2 - 1
    counts = np.zeros(most + 1, dtype=np.int64)
    for start in range(0, len(signs), 1000):
        distances = np.rint((bits.shape[1] - signs[start : start + 1000] @ signs[start:].T) / 2).astype(np.int16)
        # Each pair once, and none of a picture with itself.
        distances[np.tril_indices(len(distances), m=distances.shape[1])] = most + 1
        counts += np.bincount(distances[distances <= most], minlength=most + 1)
    return counts, bits


def best(hashes, most, truth, kinds):
    """The loosest threshold with a precision of 99 %."""
    counts, bits = distances_of(hashes, most)
    right = {kind: np.zeros(most + 1, dtype=np.int64) for kind in kinds}
    for (a, b), kind in truth.items():
        distance = int((bits[a] != bits[b]).sum())
        if distance <= most:
            right[kind][distance] += 1
    given = counts.cumsum()
    found = {kind: of.cumsum() for kind, of in right.items()}
    precision = sum(found.values()) / np.maximum(given, 1)
    good = np.nonzero(precision >= 0.99)[0]
    if len(good) == 0:
        return None
    return int(good[-1]), float(precision[good[-1]]), {kind: int(of[good[-1]]) for kind, of in found.items()}


def say(method, seconds, hashes, most, truth, kinds):
    chosen = best(hashes, most, truth, kinds)
    row = {"method": method, "seconds": seconds}
    if chosen is not None:
        row.update(zip(("threshold", "precision", "found"), chosen))
    print(json.dumps(row), flush=True)


def main(folder, planted):
    with open(planted) as file:
        pairs = json.load(file)
    names = sorted(os.listdir(folder))
    paths = [os.path.join(folder, name) for name in names]
    at = {name: i for i, name in enumerate(names)}
    truth = {tuple(sorted((at[p["original"]], at[p["copy"]]))): p["change"] for p in pairs}
    kinds = sorted({p["change"] for p in pairs})
    with ProcessPoolExecutor(WORKERS) as pool:
        for method in ONE:
            start = time.perf_counter()
            hashes = np.stack(list(pool.map(hash_one, [(method, path) for path in paths], chunksize=64)))
            say(method, time.perf_counter() - start, hashes, hashes.shape[1] * 8 * 3 // 8, truth, kinds)

    from imagededup.methods import AHash, DHash, PHash, WHash

    for method in (AHash, PHash, DHash, WHash):
        start = time.perf_counter()
        encodings = method(verbose=False).encode_images(image_dir=folder, num_enc_workers=WORKERS)
        hashes = np.array([list(bytes.fromhex(encodings[name])) for name in names], dtype=np.uint8)
        say(f"imagededup {method.__name__}", time.perf_counter() - start, hashes, 24, truth, kinds)


if __name__ == "__main__":
    main(*sys.argv[1:3])
