"""Float64 values of the nano models, for the tests: fixtures/expected/<model>-nano.json and .bin.

Parameters and inputs follow formulas that the tests share. The .json says where in the .bin (float32, little-endian) the prediction and
the gradient of every parameter stand, in the layout of files; long gradients are kept at every `stride`-th number, with the norm of all.
Run from the repository's root: python3 bench/parity/expected.py [lomar] [mae] … (torch 1.13 or later, no other package).
"""
import json
import math
import struct
import sys

import torch

import beit
import lomar
import mae
import srmae
import tokenizer
import vit

N, SIDE, PATCH = 2, 64, 8


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def values(index, name, shape):
    """Waves whose phase depends on the parameter's place and the number's, in the file's layout."""
    count = math.prod(shape)
    centre, spread = 0, 0.1 if len(shape) == 1 or name.startswith("super_resolution") else 0.15
    if ("norm" in name and name.endswith("weight")) or "scale" in name:
        centre = 1
    elif name.endswith("act.weight"):
        centre = 0.25
    wave = [single(centre + spread * math.cos(0.61 * j + 1.7 * index + 0.13 * (j * j % 101))) for j in range(count)]
    return torch.tensor(wave, dtype=torch.float64).reshape(shape).requires_grad_()


def picture(side=SIDE):
    return torch.tensor([(31 * i + 7 * (i * i % 251) + i // 97) % 256 for i in range(N * side * side * 3)]).reshape(N, side, side, 3)


def low(factor):
    side = round(SIDE / factor)
    return torch.tensor([(29 * i + 5 * (i * i % 241) + i // 53) % 256 for i in range(N * side * side * 3)]).reshape(N, side, side, 3)


def grid_masks():
    """48 of 64 patches hidden."""
    return torch.tensor([[1 if (37 * t + 11 * i) % 64 < 48 else 0 for t in range(64)] for i in range(N)])


def lomar_inputs():
    masks = [[1 if (7 * t + 3 * v) % 5 < 3 else 0 for t in range(25)] for v in range(N * 2)]
    windows = torch.tensor([[[1, 2], [3, 0]], [[0, 3], [2, 1]]])
    return {"picture": picture(), "windows": windows, "masks": torch.tensor(masks)}


def arm_inputs():
    """LoMaR's windows; 15 of 25 patches hidden of each, in no order."""
    masks = [[1 if (11 * t + 7 * v) % 25 < 15 else 0 for t in range(25)] for v in range(N * 2)]
    return {**lomar_inputs(), "masks": torch.tensor(masks)}


def mae_inputs():
    return {"picture": picture(), "masks": grid_masks()}


def srmae_inputs(factor=4):
    return {**mae_inputs(), "lr": low(factor)}


def tokenizer_inputs():
    """Of pictures of half the side, 8 x 8 patches of them; noise as large as Gumbel's."""
    noise = [single(1.3 * math.cos(0.37 * i + 0.11 * (i * i % 97))) for i in range(N * 64 * 64)]
    return {"picture": picture(SIDE // 2), "noise": torch.tensor(noise, dtype=torch.float64).reshape(N, 64, 64)}


def beit_inputs():
    """24 of 64 patches hidden; 32 codes."""
    masks = torch.tensor([[1 if (37 * t + 11 * i) % 64 < 24 else 0 for t in range(64)] for i in range(N)])
    codes = torch.tensor([[(13 * t + 5 * i + t * t % 7) % 32 for t in range(64)] for i in range(N)])
    return {"picture": picture(), "masks": masks, "codes": codes}


NANO = {"size": "nano", "patch": PATCH, "decoder": (64, 2, 2)}
LOMAR = {"size": "nano", "patch": PATCH, "K": 5, "target": "patchNorm", "rpeScaled": False}
MAE = {**NANO, "target": "patchNorm"}
TOKENIZER = {"size": "nano", "patch": 4, "temperature": 0.75, "kl": 0.25, "loss": "mse", "hard": False}
BEIT = {"size": "nano", "patch": PATCH, "K": 8, "vocabulary": 32}
SRMAE = {**NANO, "target": "pixels", "superResolution": "hpb"}

# Of the arms a part of everything is kept, the prediction too.
ARM = [(4096, 97), (256, 13)]


def arm(**changes):
    return (lomar, {**arm_inputs(), **({"lr": low(4)} if "lowResolution" in changes else {})}, {**LOMAR, "target": "pixels", **changes}, ARM, {})


# model: its text, inputs, configuration, stride of gradients by length, and variants, of which loss and norms alone are kept.
MODELS = {
    "lomar": (lomar, lomar_inputs(), LOMAR, [(4096, 7)], {
        "pixels": ({"target": "pixels"}, {}),
        "patchNormScaled": ({"rpeScaled": True}, {}),
    }),
    "mae": (mae, mae_inputs(), MAE, [(8192, 31), (1024, 7)], {"pixels": ({"target": "pixels"}, {})}),
    "srmae": (srmae, srmae_inputs(), SRMAE, [(8192, 31), (1024, 7)], {
        "patchNorm": ({"target": "patchNorm"}, {}),
        "residual": ({"superResolution": "residual"}, {}),
        "none": ({"superResolution": "none"}, {}),
        "factor3": ({}, {"lr": low(3)}),
    }),
    "lomar-absolute": arm(absolute=True),
    "lomar-decoder": arm(decoder=(64, 2, 2)),
    "lomar-decoder-absolute": arm(decoder=(32, 2, 2), absolute=True),
    "lomar-late": arm(maskTokensFrom=2),
    "lomar-late-absolute": arm(maskTokensFrom=3, absolute=True),
    "lomar-srmae": arm(lowResolution="none"),
    "lomar-srmae-decoder": arm(lowResolution="hpb", decoder=(32, 2, 2)),
    "mae-cls": (mae, mae_inputs(), {**MAE, "target": "pixels", "clsTokens": 3}, ARM, {}),
    "srmae-cls": (srmae, srmae_inputs(), {**SRMAE, "superResolution": "residual", "clsTokens": 2}, ARM, {}),
    "tokenizer": (tokenizer, tokenizer_inputs(), TOKENIZER, [(8192, 31), (1024, 7)], {
        "smoothL1": ({"loss": "smoothL1"}, {}),
        "hard": ({"hard": True}, {}),
    }),
    "beit": (beit, beit_inputs(), BEIT, [(8192, 31), (1024, 7)], {
        "windows": ({"K": 5}, {k: lomar_inputs()[k] for k in ("windows", "masks")}),
    }),
}


def measure(model, inputs, c):
    p = {name: values(i, name, shape) for i, (name, shape) in enumerate(model.shapes(c).items())}
    loss, prediction = model.loss(p, inputs, c)
    loss.backward()
    gradients = {name: torch.zeros_like(v) if v.grad is None else v.grad for name, v in p.items()}
    return loss.item(), prediction.detach().flatten(), {name: g.flatten() for name, g in gradients.items()}


def write(name):
    model, inputs, config, strides, variants = MODELS[name]
    loss, prediction, grads = measure(model, inputs, config)
    thin = {"stride": strides[1][1]} if strides is ARM else {}
    numbers = prediction[::thin.get("stride", 1)].tolist()
    record = {"loss": loss, "prediction": {"from": 0, "count": len(numbers), **thin}, "gradients": {}}
    for parameter, g in grads.items():
        stride = next((s for longer, s in strides if len(g) > longer), 1)
        kept = g[::stride].tolist()
        record["gradients"][parameter] = {"from": len(numbers), "count": len(kept), "stride": stride, "norm": g.norm().item()}
        numbers += kept
    for variant, (changes, other_inputs) in variants.items():
        other, _, other_grads = measure(model, {**inputs, **other_inputs}, {**config, **changes})
        record[variant] = {"loss": other, "norms": {k: g.norm().item() for k, g in other_grads.items()}}
    with open(f"fixtures/expected/{name}-nano.json", "w") as f:
        json.dump(record, f, indent=1)
        f.write("\n")
    with open(f"fixtures/expected/{name}-nano.bin", "wb") as f:
        f.write(struct.pack(f"<{len(numbers)}f", *numbers))
    print(f"{name}: loss {loss:.9f}, {len(numbers)} numbers, torch {torch.__version__}")


for wanted in sys.argv[1:] or MODELS:
    write(wanted)
