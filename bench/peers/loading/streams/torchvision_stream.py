"""torchvision's DataLoader: `decode_jpeg` or `decode_image` and v2 on tensors, or Pillow and v2, as HOW says (see stream.py)."""
import os
import warnings

import numpy as np
import PIL.Image
import torch
import torchvision
from torchvision.io import ImageReadMode, decode_image, decode_jpeg, read_file
from torchvision.transforms import InterpolationMode, v2

from stream import BATCH, MANY, RATIO, SCALE, SIDE, cores, serve, worker_counts

# Of more workers than cores, which are tried too.
warnings.filterwarnings("ignore", module="torch.utils.data")


def tensor(path):
    return decode_jpeg(read_file(path), ImageReadMode.RGB)


def any_tensor(path):
    return decode_image(read_file(path), ImageReadMode.RGB)


def pillow(path):
    with open(path, "rb") as file:
        return PIL.Image.open(file).convert("RGB")


CUT = v2.RandomResizedCrop(SIDE, SCALE, RATIO, InterpolationMode.BICUBIC, antialias=True)
WAYS = {
    "decode_jpeg + v2": (tensor, v2.Compose([CUT, v2.RandomHorizontalFlip()])),
    "decode_image + v2": (any_tensor, v2.Compose([CUT, v2.RandomHorizontalFlip()])),
    "Pillow + v2": (pillow, v2.Compose([CUT, v2.RandomHorizontalFlip(), v2.PILToTensor()])),
}


class Photos(torch.utils.data.Dataset):
    def __init__(self, paths, read, transform):
        self.paths, self.read, self.transform = paths, read, transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.transform(self.read(self.paths[index]))


how = os.environ["HOW"]


def open_stream(folder, files, setting):
    photos = Photos([os.path.join(folder, file) for file in files], *WAYS[how])
    order = torch.utils.data.RandomSampler(photos, num_samples=MANY)
    workers = setting["workers"]
    ahead = {"prefetch_factor": setting["ahead"], "persistent_workers": True} if workers > 0 else {}
    return torch.utils.data.DataLoader(photos, BATCH, sampler=order, num_workers=workers, **ahead)


def render(path, left, top, width, height):
    read, _ = WAYS[how]
    cut = v2.functional.resized_crop(read(path), top, left, height, width, [SIDE, SIDE], InterpolationMode.BICUBIC, True)
    return np.asarray(cut) if isinstance(cut, PIL.Image.Image) else cut.permute(1, 2, 0).numpy()


if __name__ == "__main__":
    counts = worker_counts(0, 2 * cores()) if how == "decode_image + v2" else worker_counts(cores() + 1, 2 * cores())
    settings = [{"workers": workers, "ahead": 2} for workers in counts]
    serve({"version": f"torchvision {torchvision.__version__}, torch {torch.__version__}", "settings": settings}, open_stream, render)
