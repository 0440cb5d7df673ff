"""Times training steps of the models of bench/parity in PyTorch: clear gradients, forward, backward, AdamW.

Each line on stdin is a request in JSON, each line on stdout its answer.
{"open": {"model", "config", "N", "side", "precision", "compiled", "optimizer"}}: builds the model and a micro-batch of noise, and forgets the one
    before. `precision` is float32, or bfloat16 by autocast; `compiled` by torch.compile; the optimizer's loop is "foreach" or "fused".
{"optimizer": "foreach" or "fused"}: the optimizer anew, with this loop.
{"threads": [torch, blas]}: threads of PyTorch's own loops and of OpenBLAS, which counts its own.
{"step": n}: {"ms": the least milliseconds of n steps}.
"""
import ctypes
import json
import math
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "parity"))

import torch  # noqa: E402

import lomar  # noqa: E402
import mae  # noqa: E402
import srmae  # noqa: E402

MODELS = {"lomar": lomar, "mae": mae, "srmae": srmae}


def find_openblas():
    for line in open("/proc/self/maps") if os.path.exists("/proc/self/maps") else []:
        if "openblas" in line:
            library = ctypes.CDLL(line.split()[-1])
            if hasattr(library, "openblas_set_num_threads"):
                return library
    return None


def start(name, shape):
    """The starts of MAE's recipe; convolutions as PyTorch's."""
    if name.endswith("_token"):
        return torch.randn(shape) * 0.02
    if "norm" in name or "scale" in name:
        return torch.ones(shape) if not name.endswith("bias") else torch.zeros(shape)
    if name.endswith("act.weight"):
        return torch.full(shape, 0.25)
    if len(shape) == 1 or "rpe" in name:
        return torch.zeros(shape)
    inner = math.prod(shape[1:])
    bound = 1 / math.sqrt(inner) if name.startswith("super_resolution") else math.sqrt(6 / (inner + shape[0]))
    return (torch.rand(shape) * 2 - 1) * bound


def noise(c, N, side):
    grid = side // c["patch"]
    inputs = {"picture": torch.randint(0, 256, (N, side, side, 3), dtype=torch.uint8)}
    if "K" in c:
        n, views = c["K"] ** 2, c["M"]
        places = torch.rand(N, 2, grid - c["K"] + 1).argsort(-1)[..., :views]
        inputs["windows"] = places.transpose(1, 2).contiguous()
        shape, hidden = (N, views, n), math.floor(n * c["ratio"])
    else:
        n = grid * grid
        shape, hidden = (N, n), n - math.floor(n * (1 - c["ratio"]))
    ranks = torch.rand(shape).argsort(-1).argsort(-1)
    inputs["masks"] = (ranks < hidden).to(torch.uint8)
    if "factor" in c:
        small = round(side / c["factor"])
        inputs["lr"] = torch.randint(0, 256, (N, small, small, 3), dtype=torch.uint8)
    return inputs


class Training:
    def __init__(self, model, config, N, side, precision="float32", compiled=False, optimizer="foreach"):
        torch.manual_seed(0)
        self.inputs = noise(config, N, side)
        # Counted once, not in every step.
        self.config = {**config, "keep": int((self.inputs["masks"].reshape(-1, self.inputs["masks"].shape[-1])[0] == 0).sum())}
        self.p = {name: start(name, shape).requires_grad_() for name, shape in MODELS[model].shapes(config).items()}
        self.optimize_by(optimizer)
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

        def loss(p, inputs):
            return MODELS[model].loss(p, inputs, self.config)[0]

        if compiled:
            # The tables of positions and offsets are made here, so that the compiler finds them as they will be.
            with torch.no_grad():
                loss(self.p, self.inputs)
        self.loss = torch.compile(loss, dynamic=False) if compiled else loss

    def optimize_by(self, loop):
        groups = [
            {"params": [v for v in self.p.values() if v.dim() > 1], "weight_decay": 0.05},
            {"params": [v for v in self.p.values() if v.dim() == 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), **{loop: True})

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast:
            loss = self.loss(self.p, self.inputs)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def serve():
    openblas = find_openblas()
    training = None
    yield {"torch": torch.__version__, "cores": len(os.sched_getaffinity(0)), "openblas": openblas is not None}
    for line in sys.stdin:
        request = json.loads(line)
        if "open" in request:
            training = None
            training = Training(**request["open"])
            yield {}
        elif "optimizer" in request:
            training.optimize_by(request["optimizer"])
            yield {}
        elif "threads" in request:
            own, blas = request["threads"]
            torch.set_num_threads(own)
            if openblas is not None:
                openblas.openblas_set_num_threads(blas)
            yield {}
        else:
            times = []
            for _ in range(request["step"]):
                began = time.perf_counter()
                loss = training.step()
                times.append((time.perf_counter() - began) * 1000)
            yield {"ms": min(times), "loss": loss}


if __name__ == "__main__":
    try:
        for answer in serve():
            print(json.dumps(answer), flush=True)
    except Exception as error:
        print(json.dumps({"error": repr(error)}), flush=True)
