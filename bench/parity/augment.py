"""timm's RandAugment operations, and torchvision's colour changes and blur on Pillow's pictures, for the tests and bench/augment.ts.

`augment.py expected PHOTO FOLDER` writes augment.json and augment.bin: a small picture made of the photograph, uint8 RGB, and of each case every STRIDE-th value of
what it becomes. `augment.py whole WIDTH HEIGHT IN OUT` reads raw RGB pictures of that size, one behind the other, and writes for each picture all cases, whole; it
prints what stands in augment.json. Run with timm, torchvision and Pillow.
"""
import json
import math
import sys

import numpy
import PIL
import timm
import timm.data.auto_augment as timm_augment
import torchvision
import torchvision.transforms.functional as functional
from PIL import Image

STRIDE = 11
SIZE = (48, 36)
NAMES = timm_augment._RAND_INCREASING_TRANSFORMS
WITHOUT_LEVEL = ["AutoContrast", "Equalize", "Invert"]
WITHOUT_SIGN = ["PosterizeIncreasing", "SolarizeIncreasing", "SolarizeAdd"]
# What torchvision's ColorJitter and RandomGrayscale do.
COLOURS = [
    *({"colour": "brightness", "factor": factor} for factor in (0.0, 0.6, 1.4)),
    *({"colour": "contrast", "factor": factor} for factor in (0.0, 0.6, 1.4)),
    *({"colour": "saturation", "factor": factor} for factor in (0.0, 0.6, 1.4)),
    *({"colour": "hue", "factor": factor} for factor in (-0.3, 0.1, 0.5)),
]
# What torchvision's GaussianBlur does, with all of the kernel that counts.
BLURS = [{"blur": sigma} for sigma in (0.1, 0.5, 1.3, 2.0)]


def strengths(name):
    if name in WITHOUT_LEVEL:
        return [(9.0, 1)]
    if name in WITHOUT_SIGN:
        # At 10 no bits are left, which Pillow now refuses.
        return [(0.0, 1), (3.3, 1), (9.0, 1), (9.9, 1)]
    return [(3.3, 1), (9.0, -1), (10.0, 1), (8.7, -1)]


CASES = [{"operation": i, "magnitude": m, "sign": s} for i, name in enumerate(NAMES) for m, s in strengths(name)] + COLOURS + BLURS


def blurred(picture, sigma):
    reach = math.ceil(4 * sigma)
    # torchvision reflects the picture at its border, ours repeats the last pixel.
    wide = functional.pad(picture, reach, padding_mode="edge")
    made = functional.gaussian_blur(wide, [2 * reach + 1] * 2, [sigma] * 2)
    return functional.crop(made, reach, reach, picture.height, picture.width)


def do(case, picture):
    if "blur" in case:
        return blurred(picture, case["blur"])
    if "colour" in case:
        kind, factor = case["colour"], case["factor"]
        return getattr(functional, f"adjust_{kind}")(picture, factor)
    timm_augment._randomly_negate = lambda value: case["sign"] * value
    hparams = {"img_mean": (124, 116, 104), "interpolation": Image.BICUBIC}
    return timm_augment.AugmentOp(NAMES[case["operation"]], prob=1.0, magnitude=case["magnitude"], hparams=hparams)(picture)


def about():
    made = timm_augment.rand_augment_transform("rand-m9-mstd0.5-inc1", {"img_mean": (124, 116, 104), "interpolation": Image.BICUBIC})
    op = made.ops[0]
    return {
        "made by": f"Pillow {PIL.__version__}, timm {timm.__version__}, torchvision {torchvision.__version__}",
        "recipe": {
            "operations": made.num_layers,
            "magnitude": op.magnitude,
            "deviation": op.magnitude_std,
            "probability": op.prob,
            "background": list(op.kwargs["fillcolor"]),
        },
        "order": NAMES,
        "cases": CASES,
    }


def expected(photo, folder):
    picture = Image.open(photo).convert("RGB").resize(SIZE, Image.BICUBIC)
    with open(f"{folder}/augment.bin", "wb") as file:
        file.write(picture.tobytes())
        for case in CASES:
            file.write(do(case, picture).tobytes()[::STRIDE])
    with open(f"{folder}/augment.json", "w") as file:
        file.write(json.dumps({**about(), "width": SIZE[0], "height": SIZE[1], "stride": STRIDE}, indent=1) + "\n")


def whole(width, height, read, written):
    data = numpy.fromfile(read, dtype=numpy.uint8).reshape(-1, height, width, 3)
    with open(written, "wb") as file:
        for pixels in data:
            for case in CASES:
                file.write(do(case, Image.fromarray(pixels)).tobytes())
    print(json.dumps(about()))


if __name__ == "__main__":
    if sys.argv[1] == "expected":
        expected(*sys.argv[2:])
    else:
        whole(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
