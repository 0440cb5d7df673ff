"""Answers how far pixels are from Pillow's antialiased bicubic: {"items": [[path, left, top, width, height, mirrored]], "out"} names boxes of files and a file of uint8
[n, 224, 224, 3], or of SIDE, and gets {"mean"} of the absolute differences, of 255."""
import json
import os
import sys

import numpy as np
import PIL.Image

SIDE = int(os.environ.get("SIDE", "224"))
print(json.dumps({"pillow": PIL.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    made = np.fromfile(request["out"], np.uint8).reshape(-1, SIDE, SIDE, 3).astype(np.int16)
    sums = 0.0
    for pixels, (path, left, top, width, height, mirrored) in zip(made, request["items"]):
        box = PIL.Image.open(path).convert("RGB").crop((left, top, left + width, top + height))
        expected = np.asarray(box.resize((SIDE, SIDE), PIL.Image.BICUBIC)).astype(np.int16)
        sums += np.abs(pixels - (expected[:, ::-1] if mirrored else expected)).mean()
    print(json.dumps({"mean": sums / len(made)}), flush=True)
