"""Twenty steps of timm's optimizers, gradient clipping and moving averages in float64, for the tests and bench/parity.ts.

Parameters and gradients follow formulas that bench/parity/optimizers.ts shares. Prints JSON: for each case its settings, in the words of a pipeline, and
the parameters (with `ema`, their averages) after the first and the last step. Run: python3 optimizers.py [FILE] (torch and timm).
"""
import json
import math
import sys

import timm
import torch
from timm.optim import Lamb, Lars, Lion
from timm.utils import ModelEmaV3
from timm.utils.clip_grad import dispatch_clip_grad

STEPS, SAMPLES = 20, 4
SHAPES = {"weight": (6, 5), "bias": (7,), "token": (1, 1, 8)}
# The only one that decays, and whose step follows its norm.
DECAYS = "weight"

ADAMW = {"adamw": {"lr": 0.01, "weightDecay": 0.05, "betas": [0.9, 0.95], "eps": 1e-8}}
LAMB = {"lr": 0.02, "weightDecay": 0.01, "betas": [0.9, 0.999], "eps": 1e-6, "trustClip": False}
LARS = {"lr": 2.0, "weightDecay": 0.0, "momentum": 0.9, "trust": 0.001, "eps": 1e-8}
CASES = {
    "adamw": {"optimizer": ADAMW},
    "lars": {"optimizer": {"lars": LARS}},
    "lars with decay": {"optimizer": {"lars": {**LARS, "weightDecay": 0.1, "trust": 0.02}}},
    "lamb": {"optimizer": {"lamb": LAMB}},
    "lamb with its greatest norm": {"optimizer": {"lamb": {**LAMB, "weightDecay": 0.1}}, "clip": {"norm": 1.0}},
    "lamb with trust clip": {"optimizer": {"lamb": {**LAMB, "trustClip": True}}},
    "lion": {"optimizer": {"lion": {"lr": 0.005, "weightDecay": 0.5, "betas": [0.9, 0.99]}}},
    "clip": {"optimizer": {"lars": {**LARS, "lr": 0.1}}, "clip": {"norm": 0.5}},
    "ema": {"optimizer": ADAMW, "ema": {"decay": 0.9}},
    "ema with warm-up": {"optimizer": ADAMW, "ema": {"decay": 0.8, "warmup": {"gamma": 1, "power": 2 / 3}}},
    "ema with slow warm-up": {"optimizer": ADAMW, "ema": {"decay": 0.9999, "warmup": {"gamma": 3, "power": 0.75}}},
}


def start(k, shape):
    count = math.prod(shape)
    return torch.tensor([0.5 * math.cos(0.37 * i + k) for i in range(count)], dtype=torch.float64).reshape(shape)


def wave(k, i, t):
    """The mean over the samples of what the loss of step t multiplies number i of parameter k by."""
    size = 1 + 0.5 * math.sin(1.3 * t)
    return sum(size * math.cos(0.61 * i + 1.7 * k + 0.9 * t + 0.4 * n) for n in range(SAMPLES)) / SAMPLES


class Waves(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for k, (name, shape) in enumerate(SHAPES.items()):
            self.register_parameter(name, torch.nn.Parameter(start(k, shape)))

    def set_gradients(self, t):
        for k, p in enumerate(self.parameters()):
            waves = torch.tensor([wave(k, i, t) for i in range(p.numel())], dtype=torch.float64)
            p.grad = 0.2 * p.detach() + waves.reshape(p.shape)


def optimizer_of(model, settings, greatest):
    (name, options), = settings.items()
    decaying = [p for n, p in model.named_parameters() if n == DECAYS]
    others = [p for n, p in model.named_parameters() if n != DECAYS]
    # Only what decays is adapted; timm adapts what has a decay above 0, or with always_adapt all.
    adapt = {"always_adapt": True} if name in ("lars", "lamb") else {}
    groups = [
        {"params": decaying, "weight_decay": options["weightDecay"], **adapt},
        {"params": others, "weight_decay": 0.0, **({"always_adapt": False} if adapt else {})},
    ]
    lr = options["lr"]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=lr, betas=tuple(options["betas"]), eps=options["eps"])
    if name == "lars":
        return Lars(groups, lr=lr, momentum=options["momentum"], trust_coeff=options["trust"], eps=options["eps"])
    if name == "lamb":
        how = {"max_grad_norm": greatest, "trust_clip": options["trustClip"]}
        return Lamb(groups, lr=lr, betas=tuple(options["betas"]), eps=options["eps"], **how)
    return Lion(groups, lr=lr, betas=tuple(options["betas"]))


def run(settings):
    model = Waves()
    clip = settings.get("clip", {}).get("norm")
    isLamb = "lamb" in settings["optimizer"]
    optimizer = optimizer_of(model, settings["optimizer"], clip if isLamb else None)
    average = None
    if "ema" in settings:
        warmup = settings["ema"].get("warmup")
        more = {"use_warmup": True, "warmup_gamma": warmup["gamma"], "warmup_power": warmup["power"]} if warmup else {}
        average = ModelEmaV3(model, decay=settings["ema"]["decay"], **more)
    found = {}
    for t in range(STEPS):
        model.set_gradients(t)
        if clip is not None and not isLamb:
            dispatch_clip_grad(model.parameters(), clip, mode="norm")
        optimizer.step()
        if average is not None:
            average.update(model, step=t + 1)
        if t in (0, STEPS - 1):
            shown = model if average is None else average.module
            found[f"after {t + 1}"] = {n: p.detach().flatten().tolist() for n, p in shown.named_parameters()}
    return {"settings": settings, **found}


result = {"timm": timm.__version__, "torch": torch.__version__, "cases": {name: run(case) for name, case in CASES.items()}}
text = json.dumps(result, indent=1) + "\n"
if len(sys.argv) > 1:
    with open(sys.argv[1], "w") as f:
        f.write(text)
else:
    print(text)
