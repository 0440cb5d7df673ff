"""What others do with the same files: torchvision's DataLoader, Pillow, OpenCV, NumPy, torch.

Each line on stdin is a request in JSON, each line on stdout its answer.
{"epoch": {"folder", "batch", "workers", "augment"}}: one pass of torchvision's DataLoader, RandomResizedCrop(224, scale 0.2 to 1, bicubic), flip, and with
    `augment` RandAugment of torchvision.transforms.v2, uint8 [n, 224, 224, 3]: {"ms"}. The workers of a loader stay.
{"differ": {"folder", "items": [[file, left, top, width, height, mirrored]], "size", "files"}}: how far the uint8 [n, size, size, 3] in each file of
    `files`, {name: path}, are from Pillow's antialiased bicubic on the same boxes: {"means": {name: mean absolute difference}}, and torchvision's.
{"records": {"path", "side", "boxes": [[left, top, width, height, mirrored]], "size", "how", "processes", "count"}}: so many records, each copied
    and its box brought to `size`, by one of RECORDS: {"ms"}.
{"differ_records": {"path", "side", "boxes", "size", "files"}}: {"means"} from Pillow's antialiased bicubic, of the files and of all RECORDS.
{"digits": {"path", "size", "how", "threads", "batch", "passes"}}: the file's images, so many times, one call of one of DIGITS for each batch: {"ms"}.
    NumPy's threads are those of its environment.
{"differ_digits": {"path", "size", "files"}}: {"means"} from Pillow's antialiased bicubic, of the files and of all DIGITS.
{"large": {"path", "size", "how", "processes", "count"}}: the file decoded reduced and brought to `size` by one of LARGE: {"ms"}.
{"differ_large": {"path", "size", "files"}}: {"means"} from Pillow on the whole file, of the files and of all LARGE.
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


def loader(folder, batch, workers, augment=False):
    key = (folder, batch, workers, augment)
    if key not in loaders:
        transforms = torchvision.transforms
        bicubic = transforms.InterpolationMode.BICUBIC
        if augment:
            import torchvision.transforms.v2 as transforms
        more = [transforms.RandAugment(2, 9, interpolation=bicubic, fill=[124, 116, 104])] if augment else []
        transform = transforms.Compose([
            transforms.RandomResizedCrop(224, (0.2, 1.0), interpolation=bicubic),
            transforms.RandomHorizontalFlip(),
            *more,
            to_bytes,
        ])
        loaders[key] = torch.utils.data.DataLoader(
            Photos(folder, transform), batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    return loaders[key]


def epoch(folder, batch, workers, augment=False):
    begun = time.perf_counter()
    images = 0
    for pictures in loader(folder, batch, workers, augment):
        assert pictures.dtype == torch.uint8 and pictures.shape[1:] == (224, 224, 3)
        images += len(pictures)
    return {"ms": (time.perf_counter() - begun) * 1000, "images": images}


def forget():
    """Ends the workers of all loaders but the next: idle processes hold memory."""
    loaders.clear()
    return {}


def difference(ours, reference):
    return float(np.abs(ours.astype(np.int16) - reference.astype(np.int16)).mean())


def means_of(files, reference, made):
    """Of pixels in files, and of those in `made`, from the uint8 [n, height, width, 3] they all should be."""
    read = {name: np.fromfile(path, np.uint8).reshape(reference.shape) for name, path in files.items()}
    return {"means": {name: difference(pictures, reference) for name, pictures in {**read, **made}.items()}}


def flipped(picture, mirrored):
    return picture.transpose(Image.FLIP_LEFT_RIGHT) if mirrored else picture


def differ(folder, items, size, files):
    reference = []
    torchvisions = []
    for file, left, top, width, height, mirrored in items:
        whole = Image.open(os.path.join(folder, file)).convert("RGB")
        box = whole.crop((left, top, left + width, top + height)).resize((size, size), BICUBIC)
        reference.append(np.asarray(flipped(box, mirrored)))
        if torchvision is not None:
            functional = torchvision.transforms.functional
            mode = torchvision.transforms.InterpolationMode.BICUBIC
            box = functional.resized_crop(whole, top, left, height, width, [size, size], mode)
            torchvisions.append(np.asarray(flipped(box, mirrored)))
    return means_of(files, np.stack(reference), {"torchvision": np.stack(torchvisions)} if torchvisions else {})


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


def pillow_record(record, box, size, out):
    left, top, width, height, mirrored = box
    made = Image.fromarray(record).resize((size, size), BICUBIC, (left, top, left + width, top + height))
    out[:] = np.asarray(flipped(made, mirrored))


def opencv_record(enlarge):
    """Means of areas when it shrinks, as FFCV does; `enlarge` of what OpenCV has when it does not."""
    def make(record, box, size, out):
        left, top, width, height, mirrored = box
        part = record[top:top + height, left:left + width]
        shrinks = width >= size and height >= size
        cv2.resize(part, (size, size), out, interpolation=cv2.INTER_AREA if shrinks else enlarge)
        if mirrored:
            cv2.flip(out, 1, out)
    return make


RECORDS = {"pillow": pillow_record}
if cv2 is not None:
    RECORDS["opencv area"] = opencv_record(cv2.INTER_AREA)
    RECORDS["opencv area and cubic"] = opencv_record(cv2.INTER_CUBIC)


def records_part(arguments, first, last):
    path, side, boxes, order, size, how = arguments
    records = np.memmap(path, np.uint8, "r").reshape(-1, side, side, 3)
    make = RECORDS[how]
    out = np.empty((size, size, 3), np.uint8)
    record = np.empty((side, side, 3), np.uint8)
    for i in range(first, last):
        index = order[i % len(order)]
        np.copyto(record, records[index])
        make(record, boxes[index], size, out)


def records(path, side, boxes, order, size, how, processes, count):
    return timed_parts(records_part, (path, side, boxes, order, size, how), count, processes)


def differ_records(path, side, boxes, size, files):
    records = np.array(np.memmap(path, np.uint8, "r").reshape(-1, side, side, 3)[:len(boxes)])
    reference = np.empty((len(boxes), size, size, 3), np.uint8)
    made = {how: np.empty_like(reference) for how in RECORDS}
    for i, (record, box) in enumerate(zip(records, boxes)):
        left, top, width, height, mirrored = box
        cut = Image.fromarray(record[top:top + height, left:left + width]).resize((size, size), BICUBIC)
        reference[i] = np.asarray(flipped(cut, mirrored))
        for how, make in RECORDS.items():
            make(record, box, size, made[how][i])
    return means_of(files, reference, made)


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


def product(side, size):
    """Rows and columns in one product: [n, side * side] x [side * side, size * size]."""
    once = weights(side, size)
    return np.ascontiguousarray(np.kron(once, once).T)


def digits(path, size, how, threads, batch, passes):
    images = read_digits(path)
    side = images.shape[1]
    torch.set_num_threads(threads)
    both = product(side, size)
    call = DIGITS[how]
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


DIGITS = {"numpy": numpy_digits, "torch": torch_digits, "interpolate": interpolated_digits}


def differ_digits(path, size, count, files):
    images = read_digits(path)[:count]
    both = product(images.shape[1], size)
    reference = np.stack([np.asarray(Image.fromarray(image).resize((size, size), BICUBIC)) for image in images])
    made = {how: np.asarray(call(images, both, size)) for how, call in DIGITS.items()}
    return means_of(files, np.repeat(reference[..., None], 3, 3), made)


def pillow_large(data, size):
    picture = Image.open(io.BytesIO(data))
    picture.draft("RGB", (size, size))
    width, height = picture.size
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return np.asarray(picture.resize((size, size), BICUBIC, (left, top, left + side, top + side)))


def opencv_large(reduction):
    def make(data, size):
        picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), reduction), cv2.COLOR_BGR2RGB)
        height, width, _ = picture.shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return cv2.resize(picture[top:top + side, left:left + side], (size, size), interpolation=cv2.INTER_AREA)
    return make


LARGE = {"pillow": pillow_large}
if cv2 is not None:
    LARGE["opencv 1/8"] = opencv_large(cv2.IMREAD_REDUCED_COLOR_8)
    LARGE["opencv 1/4"] = opencv_large(cv2.IMREAD_REDUCED_COLOR_4)
    LARGE["opencv 1/2"] = opencv_large(cv2.IMREAD_REDUCED_COLOR_2)


def large_part(arguments, first, last):
    data, size, how = arguments
    for _ in range(first, last):
        LARGE[how](data, size)


def large(path, size, how, processes, count):
    with open(path, "rb") as file:
        data = file.read()
    shape = LARGE[how](data, size).shape
    assert shape == (size, size, 3), shape
    return timed_parts(large_part, (data, size, how), count, processes)


def differ_large(path, size, files):
    """From the whole file decoded, its middle square brought to `size`: what every reduced decode stands for."""
    whole = Image.open(path).convert("RGB")
    side = min(whole.size)
    left, top = (whole.width - side) / 2, (whole.height - side) / 2
    reference = np.asarray(whole.resize((size, size), BICUBIC, (left, top, left + side, top + side)))
    with open(path, "rb") as file:
        data = file.read()
    return means_of(files, reference, {how: make(data, size) for how, make in LARGE.items()})


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
        "records": list(RECORDS),
        "large": list(LARGE),
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
