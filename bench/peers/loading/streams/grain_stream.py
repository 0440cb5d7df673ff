"""Grain: files decoded and cut in its map, in threads and in processes (see stream.py). It brings no decoder: Pillow does it."""
import io
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import grain  # noqa: E402
import numpy as np  # noqa: E402
import PIL.Image  # noqa: E402

from stream import BATCH, SIDE, cores, random_box, serve  # noqa: E402


def cut(data, left, top, width, height):
    """Pillow decodes all, and resizes the box of it."""
    picture = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    return picture.resize((SIDE, SIDE), PIL.Image.BICUBIC, (left, top, left + width, top + height))


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Cut(grain.transforms.RandomMap):
    def random_map(self, path, rng):
        data = read(path)
        picture = cut(data, *random_box(rng, *PIL.Image.open(io.BytesIO(data)).size))
        if rng.uniform() < 0.5:
            picture = picture.transpose(PIL.Image.FLIP_LEFT_RIGHT)
        return np.asarray(picture)


def open_stream(folder, files, setting):
    paths = [os.path.join(folder, file) for file in files]
    pictures = grain.MapDataset.source(paths).seed(7).shuffle().repeat().random_map(Cut())
    batches = pictures.to_iter_dataset(grain.ReadOptions(num_threads=setting["threads"], prefetch_buffer_size=max(setting["threads"], 4 * setting["threads"]))).batch(BATCH, drop_remainder=True)
    if setting["processes"] > 0:
        batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=setting["processes"], per_worker_buffer_size=2))
    return batches


def render(path, left, top, width, height):
    return np.asarray(cut(read(path), left, top, width, height))


if __name__ == "__main__":
    settings = [{"processes": 0, "threads": threads} for threads in (cores(), 2 * cores(), 8)]
    settings += [{"processes": processes, "threads": threads} for processes in (cores(), cores() + 1) for threads in (1, 4)]
    version = getattr(grain, "__version__", None)
    if version is None:
        import importlib.metadata
        version = importlib.metadata.version("grain")
    serve({"version": f"Grain {version}, Pillow {PIL.__version__}", "settings": settings}, open_stream, render)
