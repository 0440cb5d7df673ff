"""Times training steps of the models of bench/parity in PyTorch, eager or compiled, on any device.

Each line on stdin is a request in JSON, each line on stdout its answer.
{"product": "float32" | "tf32" | "bfloat16", "side"}: {"tflops"} of products of two side x side matrices, the best of several.
{"open": {"model", "config", "N", "side", "precision": "float32" | "bfloat16", "compiled"}}: builds model, optimizer and a micro-batch of noise, and takes some
    steps: {"warm": seconds}, of which a compiler takes most. Attention is scaled_dot_product_attention, AdamW is fused, bfloat16 is autocast.
{"step": n}: {"ms": of one of n steps, one after another, "memoryGiB": the most that was held on the card}.
{"close": {}}: frees all of it.
"""
import json
import math
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "peers", "steps"))

import torch  # noqa: E402
from train_step import MODELS, noise, start  # noqa: E402

DEVICE = sys.argv[1]
CUDA = DEVICE.startswith("cuda")


def finish():
    if CUDA:
        torch.cuda.synchronize()


def product(precision, side):
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    x, y = (torch.randn(side, side, device=DEVICE).to(dtype) for _ in range(2))
    best = math.inf
    for _ in range(4):
        finish()
        began = time.perf_counter()
        for _ in range(4):
            x @ y
        finish()
        best = min(best, (time.perf_counter() - began) / 4)
    torch.set_float32_matmul_precision("highest")
    return {"tflops": 2 * side**3 / best / 1e12}


class Training:
    def __init__(self, model, config, N, side, precision, compiled):
        torch.manual_seed(0)
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        kept = {} if "K" in config else {"keep": math.floor((side // config["patch"]) ** 2 * (1 - config["ratio"]))}
        self.config = {**config, **kept}
        self.inputs = {name: value.to(DEVICE) for name, value in noise(config, N, side).items()}
        shapes = MODELS[model].shapes(config)
        self.p = {name: start(name, shape).to(DEVICE).requires_grad_() for name, shape in shapes.items()}
        groups = [
            {"params": [v for v in self.p.values() if v.dim() > 1], "weight_decay": 0.05},
            {"params": [v for v in self.p.values() if v.dim() == 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), fused=True)
        self.bfloat16 = precision == "bfloat16"
        self.loss = lambda p, inputs: MODELS[model].loss(p, inputs, self.config)[0]
        # Tables of positions are made once, before anything is compiled.
        with torch.no_grad(), self.autocast():
            self.loss(self.p, self.inputs)
        if compiled:
            # One process may serve several shapes; each is compiled for its own.
            torch._dynamo.reset()
            self.loss = torch.compile(self.loss, dynamic=False)

    def autocast(self):
        return torch.autocast(DEVICE.split(":")[0], torch.bfloat16, enabled=self.bfloat16)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            loss = self.loss(self.p, self.inputs)
        loss.backward()
        self.optimizer.step()
        return loss


training = None


def answer(request):
    global training
    if "product" in request:
        return product(request["product"], request["side"])
    if "open" in request:
        began = time.perf_counter()
        training = Training(**request["open"])
        for _ in range(3):
            loss = training.step()
        finish()
        if not math.isfinite(loss.item()):
            raise ValueError("the loss is not a number")
        release()
        return {"warm": time.perf_counter() - began}
    if "close" in request:
        training = None
        release()
        return {}
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    finish()
    began = time.perf_counter()
    for _ in range(request["step"]):
        training.step()
    finish()
    ms = (time.perf_counter() - began) * 1000 / request["step"]
    return {"ms": ms, **({"memoryGiB": torch.cuda.max_memory_allocated() / 2**30} if CUDA else {})}


def release():
    """Gives back what is free, for others who measure on the same card."""
    if CUDA:
        torch.cuda.empty_cache()


if __name__ == "__main__":
    print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda}), flush=True)
    for line in sys.stdin:
        try:
            print(json.dumps(answer(json.loads(line))), flush=True)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:500]}), flush=True)
