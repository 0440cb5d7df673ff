"""Batches of random crops as torchvision's DataLoader makes them of a folder of JPEGs, on chosen cores.

Started with the folder as the last argument. Each line on stdin is a request in JSON, each line on stdout its answer.
{"way", "cores": [...], "batch", "side", "seconds"}: uint8 batches for so long, with a worker for each core: {"images": in a second}.
"""
import json
import os
import sys
import time
import warnings

import torch

warnings.filterwarnings("ignore")
FOLDER = sys.argv[-1]
NAMES = sorted(os.path.join(FOLDER, name) for name in os.listdir(FOLDER))
# An epoch is long enough that its beginning does not count.
REPEAT = 512
versions = {"torch": torch.__version__}
WAYS = []
try:
    import torchvision
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
    from torchvision.transforms import InterpolationMode, v2

    versions["torchvision"] = torchvision.__version__
    WAYS.append("torchvision decode_jpeg")
except Exception as error:
    versions["missing"] = f"{type(error).__name__}: {error}"[:200]
try:
    import PIL
    from PIL import Image

    versions["pillow"] = PIL.__version__
    if WAYS:
        WAYS.append("torchvision Pillow")
except ImportError:
    pass


class Photos(torch.utils.data.Dataset):
    def __init__(self, way, side):
        self.way = way
        self.transform = v2.Compose([
            v2.RandomResizedCrop(side, (0.2, 1.0), interpolation=InterpolationMode.BICUBIC, antialias=True),
            v2.RandomHorizontalFlip(),
        ])

    def __len__(self):
        return REPEAT * len(NAMES)

    def __getitem__(self, index):
        name = NAMES[index % len(NAMES)]
        if self.way == "torchvision decode_jpeg":
            return self.transform(decode_jpeg(read_file(name), mode=ImageReadMode.RGB))
        with open(name, "rb") as file:
            return v2.functional.pil_to_tensor(self.transform(Image.open(file).convert("RGB")))


def measure(way, cores, batch, side, seconds):
    os.sched_setaffinity(0, cores)
    loader = torch.utils.data.DataLoader(Photos(way, side), batch, shuffle=True, num_workers=len(cores), prefetch_factor=4)
    began, count = None, 0
    for pictures in loader:
        assert pictures.dtype == torch.uint8 and tuple(pictures.shape[1:]) == (3, side, side), pictures.shape
        now = time.perf_counter()
        if began is None:
            began = now + 0.3
        if now > began:
            count += len(pictures)
        if now > began + seconds:
            return {"images": count / (now - began)}
    raise RuntimeError("the epoch ended")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({**versions, "ways": WAYS}), flush=True)
    for line in sys.stdin:
        try:
            print(json.dumps(measure(**json.loads(line))), flush=True)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
