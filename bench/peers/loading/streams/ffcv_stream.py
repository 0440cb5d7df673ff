"""FFCV: its own file of JPEGs or of raw pixels, as `HOW` says, in memory mapped (see stream.py). Its resize is OpenCV's means of areas, bilinear to enlarge."""
import os
import tempfile

# numba takes no more workers than this.
os.environ.setdefault("NUMBA_NUM_THREADS", str(2 * len(os.sched_getaffinity(0))))

import numpy as np
import PIL.Image

# OpenCV and FFCV before torch: each brings libraries of the same names.
from ffcv.fields import RGBImageField
from ffcv.fields.rgb_image import RandomResizedCropRGBImageDecoder
from ffcv.libffcv import resize_crop
from ffcv.loader import Loader, OrderOption
from ffcv.transforms import RandomHorizontalFlip, ToTensor
from ffcv.writer import DatasetWriter

from stream import BATCH, RATIO, SCALE, SIDE, cores, serve, worker_counts

how = os.environ["HOW"]
RAW = {"write_mode": "raw"}
FIELDS = {"jpeg": {"write_mode": "jpg", "jpeg_quality": 91}, "raw": RAW, "raw256": RAW}


class Photos:
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return (PIL.Image.open(self.paths[index]).convert("RGB"),)


class Records:
    """Squares of 256 px in `records.rgb` beside the photographs' folder."""

    def __init__(self, folder):
        self.records = np.memmap(os.path.join(os.path.dirname(folder), "records.rgb"), np.uint8, "r").reshape(-1, 256, 256, 3)

    def __len__(self):
        return len(self.records)

    def __getitem__(self, index):
        return (np.array(self.records[index]),)


written = {}


def file_of(folder, files):
    """Written once, beside the photographs: where they lie in memory, it does."""
    key = (folder, how)
    if key not in written:
        path = os.path.join(tempfile.mkdtemp(dir=os.path.dirname(folder)), "photos.beton")
        writer = DatasetWriter(path, {"image": RGBImageField(**FIELDS[how])}, num_workers=1)
        writer.from_indexed_dataset(Records(folder) if how == "raw256" else Photos([os.path.join(folder, file) for file in files]))
        written[key] = path
    return written[key]


def open_stream(folder, files, setting):
    steps = [RandomResizedCropRGBImageDecoder((SIDE, SIDE), SCALE, RATIO), RandomHorizontalFlip(), ToTensor()]
    loader = Loader(
        file_of(folder, files), BATCH, setting["workers"], os_cache=True, order=OrderOption.RANDOM, drop_last=True,
        batches_ahead=setting["ahead"], indices=np.tile(np.arange(len(files)), 64), pipelines={"image": steps})
    while True:
        for (batch,) in loader:
            yield batch


def render(path, left, top, width, height):
    whole = np.asarray(PIL.Image.open(path).convert("RGB"))
    out = np.empty((SIDE, SIDE, 3), np.uint8)
    resize_crop(np.ascontiguousarray(whole), top, top + height, left, left + width, out)
    return out


if __name__ == "__main__":
    import importlib.metadata
    settings = [{"workers": workers, "ahead": ahead} for workers in worker_counts(2 * cores()) for ahead in (2, 4) if workers > 1]
    serve({"version": f"FFCV {importlib.metadata.version('ffcv')}", "settings": settings}, open_stream, render)
