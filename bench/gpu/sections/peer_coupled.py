"""Trains a model of bench/parity on a folder of JPEGs in compiled PyTorch, fed by torchvision's DataLoader on all cores.

Started with the device and the folder. Each line on stdin is a request in JSON, each line on stdout its answer.
{"open": {"model", "config", "N", "side", "precision"}}: compiles the model: {"warm": seconds}.
{"way": "torchvision decode_jpeg" | "torchvision Pillow", "steps": n}: n steps on what the loader gives, after some that fill what is to be filled: {"images": in a second,
    "waiting": the share of the time in which the trainer waited for the loader}.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import torch  # noqa: E402
from peer_loader import WAYS, Photos, versions  # noqa: E402
from peer_steps import Training, finish  # noqa: E402

DEVICE, CUDA = sys.argv[1], sys.argv[1].startswith("cuda")
WARM = 4
training = None
side = None


def train(way, steps):
    # As MAE's own code feeds it: a worker for each core, memory that the card reads by itself.
    workers = len(os.sched_getaffinity(0))
    loader = torch.utils.data.DataLoader(Photos(way, side), training.size, shuffle=True, drop_last=True, num_workers=workers, prefetch_factor=4, pin_memory=CUDA)
    feed, waited, began = iter(loader), 0.0, None
    for step in range(WARM + steps):
        if step == WARM:
            finish()
            waited, began = 0.0, time.perf_counter()
        asked = time.perf_counter()
        pictures = next(feed)
        waited += time.perf_counter() - asked
        training.inputs["picture"] = pictures.to(DEVICE, non_blocking=True).permute(0, 2, 3, 1).contiguous()
        training.step()
    finish()
    seconds = time.perf_counter() - began
    return {"images": steps * training.size / seconds, "waiting": waited / seconds}


def answer(request):
    global training, side
    if "open" not in request:
        return train(**request)
    began = time.perf_counter()
    training = None
    training = Training(**request["open"], compiled=True)
    training.size, side = request["open"]["N"], request["open"]["side"]
    for _ in range(3):
        training.step()
    finish()
    return {"warm": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps({**versions, "ways": WAYS}), flush=True)
    for line in sys.stdin:
        try:
            print(json.dumps(answer(json.loads(line))), flush=True)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
