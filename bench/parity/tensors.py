"""Safetensors files as dictionaries of float64 tensors: eight bytes of length, a header in JSON, the values end to end."""
import json
import math
import struct

import numpy
import torch


def read(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        values = f.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}"
            numbers = numpy.frombuffer(values, "<f4", math.prod(entry["shape"]), entry["data_offsets"][0])
            tensors[name] = torch.from_numpy(numbers.astype("f8")).reshape(entry["shape"])
    return tensors


def write(path, tensors):
    header, at = {}, 0
    for name, tensor in tensors.items():
        end = at + 8 * tensor.numel()
        header[name] = {"dtype": "F64", "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            f.write(tensor.detach().double().contiguous().numpy().astype("<f8").tobytes())
