"""What others do with the same files: torchvision's DataLoader, Pillow, OpenCV, NumPy, torch.

Each line on stdin is a request in JSON, each line on stdout its answer.
{"epoch": {"folder", "batch", "workers"}}: one pass of torchvision's DataLoader, RandomResizedCrop(224, scale 0.2 to 1, bicubic) and flip, uint8
    [n, 224, 224, 3]: {"ms"}. The workers of a loader stay.
{"differ": {"folder", "items": [[file, left, top, width, height, mirrored]], "size", "ours"}}: {"mean"} absolute difference of the uint8
    [n, size, size, 3] in the file `ours` from Pillow's antialiased bicubic (which is torchvision's on files) on the same boxes.
{"records": {"path", "side", "boxes": [[left, top, width, height, mirrored]], "size", "how": "pillow" or "opencv", "processes", "count"}}: so many
    records, each copied and its box brought to `size`: {"ms"}.
{"differ_records": {"path", "side", "boxes", "size", "ours"}}: {"mean"} absolute difference from Pillow's antialiased bicubic.
{"digits": {"path", "size", "how": "torch" or "numpy" or "interpolate", "threads", "batch", "passes"}}: the file's images, so many times, one
    call for each batch: {"ms"}.
{"differ_digits": {"path", "size", "ours"}}: {"mean"} absolute difference from Pillow's antialiased bicubic.
{"large": {"path", "size", "how": "pillow" or "opencv", "processes", "count"}}: the file decoded reduced and brought to `size`: {"ms"}.
{"differ_large": {"path", "size", "ours"}}: {"mean"} absolute difference from Pillow on the whole file, and the `others`' own.
{"forget": {}}: ends the workers of torchvision's loaders.
"""
import io
import json
import multiprocessing
import os
import sys
import time
import warnings

import numpy as np
import PIL.Image as Image
import torch

try:
    import torchvision
except ImportError:
    torchvision = None
try:
    import cv2

    cv2.setNumThreads(1)
except ImportError:
    cv2 = None

# Of more workers than cores, which are tried too.
warnings.filterwarnings("ignore", module="torch.utils.data")

BICUBIC = Image.BICUBIC
pools = {}
loaders = {}
kept = {}


class Photos(torch.utils.data.Dataset):
    """ImageFolder's way of reading (open, convert), without its folder of classes."""

    def __init__(self, folder, transform):
        self.paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        self.transform = transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with open(self.paths[index], "rb") as file:
            return self.transform(Image.open(file).convert("RGB"))


def to_bytes(picture):
    return torch.from_numpy(np.array(picture))


def loader(folder, batch, workers):
    key = (folder, batch, workers)
    if key not in loaders:
        transforms = torchvision.transforms
        transform = transforms.Compose([
            transforms.RandomResizedCrop(224, (0.2, 1.0), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.RandomHorizontalFlip(),
            to_bytes,
        ])
        loaders[key] = torch.utils.data.DataLoader(
            Photos(folder, transform), batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    return loaders[key]


def epoch(folder, batch, workers):
    begun = time.perf_counter()
    images = 0
    for pictures in loader(folder, batch, workers):
        assert pictures.dtype == torch.uint8 and pictures.shape[1:] == (224, 224, 3)
        images += len(pictures)
    return {"ms": (time.perf_counter() - begun) * 1000, "images": images}


def forget():
    """Ends the workers of all loaders but the next: idle processes hold memory."""
    loaders.clear()
    return {}


def difference(ours, reference):
    return float(np.abs(ours.astype(np.int16) - reference.astype(np.int16)).mean())


def differ(folder, items, size, ours):
    pictures = np.fromfile(ours, np.uint8).reshape(len(items), size, size, 3)
    means = []
    for mine, (file, left, top, width, height, mirrored) in zip(pictures, items):
        whole = Image.open(os.path.join(folder, file)).convert("RGB")
        box = whole.crop((left, top, left + width, top + height)).resize((size, size), BICUBIC)
        if mirrored:
            box = box.transpose(Image.FLIP_LEFT_RIGHT)
        means.append(difference(mine, np.asarray(box)))
    return {"mean": float(np.mean(means)), "most": max(means)}


def pool(processes):
    if processes not in pools:
        pools[processes] = multiprocessing.Pool(processes)
    return pools[processes]


def timed_parts(work, arguments, count, processes):
    """Runs work(arguments, first, last) in parts, several for each process. Results stay where they are made: nothing is sent back."""
    edges = np.linspace(0, count, 4 * processes + 1).astype(int)
    parts = [(arguments, first, last) for first, last in zip(edges, edges[1:]) if last > first]
    begun = time.perf_counter()
    pool(processes).starmap(work, parts, 1)
    return {"ms": (time.perf_counter() - begun) * 1000}


def records_part(arguments, first, last):
    path, side, boxes, size, how = arguments
    records = np.memmap(path, np.uint8, "r").reshape(-1, side, side, 3)
    out = np.empty((size, size, 3), np.uint8)
    for index in range(first, last):
        left, top, width, height, mirrored = boxes[index % len(boxes)]
        record = np.array(records[index % len(records)])
        if how == "opencv":
            # As FFCV does: means of areas when it shrinks.
            part = record[top:top + height, left:left + width]
            cv2.resize(part, (size, size), out, interpolation=cv2.INTER_AREA)
            if mirrored:
                cv2.flip(out, 1, out)
        else:
            box = (left, top, left + width, top + height)
            made = Image.fromarray(record).resize((size, size), BICUBIC, box)
            out[:] = np.asarray(made.transpose(Image.FLIP_LEFT_RIGHT) if mirrored else made)


def records(path, side, boxes, size, how, processes, count):
    return timed_parts(records_part, (path, side, boxes, size, how), count, processes)


def differ_records(path, side, boxes, size, ours):
    records = np.memmap(path, np.uint8, "r").reshape(-1, side, side, 3)
    pictures = np.fromfile(ours, np.uint8).reshape(-1, size, size, 3)
    means = []
    for mine, record, (left, top, width, height, mirrored) in zip(pictures, records, boxes):
        made = Image.fromarray(record[top:top + height, left:left + width]).resize((size, size), BICUBIC)
        means.append(difference(mine, np.asarray(made.transpose(Image.FLIP_LEFT_RIGHT) if mirrored else made)))
    return {"mean": float(np.mean(means)), "most": max(means)}


def read_digits(path):
    if path not in kept:
        with open(path, "rb") as file:
            head = np.frombuffer(file.read(16), ">u4")
            kept[path] = np.frombuffer(file.read(), np.uint8).copy().reshape(tuple(int(side) for side in head[1:]))
    return kept[path]


def weights(side, size):
    """The matrix of Pillow's antialiased bicubic, [size, side], taken from how it answers single bright lines."""
    lines = np.eye(side, dtype=np.float32)
    columns = [np.asarray(Image.fromarray(np.tile(line, (side, 1))).resize((size, side), BICUBIC))[0] for line in lines]
    return np.stack(columns, 1)


def digits(path, size, how, threads, batch, passes):
    images = read_digits(path)
    side = images.shape[1]
    torch.set_num_threads(threads)
    once = weights(side, size)
    # Rows and columns in one product: [n, side * side] x [side * side, size * size].
    both = np.ascontiguousarray(np.kron(once, once).T)
    call = {"numpy": numpy_digits, "torch": torch_digits, "interpolate": interpolated_digits}[how]
    begun = time.perf_counter()
    for first in list(range(0, len(images), batch)) * passes:
        part = images[first:first + batch]
        out = call(part, both, size)
        assert tuple(out.shape) == (len(part), size, size, 3)
    return {"ms": (time.perf_counter() - begun) * 1000}


def numpy_digits(images, both, size):
    n = len(images)
    small = images.reshape(n, -1).astype(np.float32) @ both
    np.rint(small, small)
    np.clip(small, 0, 255, small)
    return np.repeat(small.astype(np.uint8).reshape(n, size, size, 1), 3, 3)


def torch_digits(images, both, size):
    n = len(images)
    small = torch.from_numpy(images).view(n, -1).float() @ torch.from_numpy(both)
    return small.round_().clamp_(0, 255).to(torch.uint8).view(n, size, size, 1).repeat(1, 1, 1, 3)


def interpolated_digits(images, _, size):
    grey = torch.from_numpy(images)[:, None].float()
    small = torch.nn.functional.interpolate(grey, (size, size), mode="bicubic", antialias=True)
    return small.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).repeat(1, 1, 1, 3)


def differ_digits(path, size, ours):
    images = read_digits(path)
    pictures = np.fromfile(ours, np.uint8).reshape(-1, size, size, 3)
    reference = np.stack([np.asarray(Image.fromarray(image).resize((size, size), BICUBIC)) for image in images[:len(pictures)]])
    return {"mean": difference(pictures, np.repeat(reference[..., None], 3, 3))}


def large_part(arguments, first, last):
    data, size, how = arguments
    for _ in range(first, last):
        reduce_large(data, size, how)


def reduce_large(data, size, how):
    if how == "opencv":
        picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_8), cv2.COLOR_BGR2RGB)
        height, width, _ = picture.shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return cv2.resize(picture[top:top + side, left:left + side], (size, size), interpolation=cv2.INTER_AREA)
    picture = Image.open(io.BytesIO(data))
    picture.draft("RGB", (size, size))
    width, height = picture.size
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return np.asarray(picture.resize((size, size), BICUBIC, (left, top, left + side, top + side)))


def large(path, size, how, processes, count):
    with open(path, "rb") as file:
        data = file.read()
    shape = reduce_large(data, size, how).shape
    assert shape == (size, size, 3), shape
    return timed_parts(large_part, (data, size, how), count, processes)


def differ_large(path, size, ours):
    """From the whole file decoded, its middle square brought to `size`: what every reduced decode stands for."""
    whole = Image.open(path).convert("RGB")
    side = min(whole.size)
    left, top = (whole.width - side) / 2, (whole.height - side) / 2
    reference = np.asarray(whole.resize((size, size), BICUBIC, (left, top, left + side, top + side)))
    with open(path, "rb") as file:
        data = file.read()
    others = {how: difference(reduce_large(data, size, how), reference) for how in ("pillow", "opencv") if how != "opencv" or cv2}
    return {"mean": difference(np.fromfile(ours, np.uint8).reshape(size, size, 3), reference), "others": others}


ANSWERS = {f.__name__: f for f in (epoch, forget, differ, records, differ_records, digits, differ_digits, large, differ_large)}


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    say({
        "torch": torch.__version__,
        "torchvision": torchvision and torchvision.__version__,
        "pillow": Image.__version__,
        "opencv": cv2 and cv2.__version__,
        "numpy": np.__version__,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    })
    for line in sys.stdin:
        ((name, arguments),) = json.loads(line).items()
        try:
            say(ANSWERS[name](**arguments))
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
