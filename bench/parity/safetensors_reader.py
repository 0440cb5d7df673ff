"""Reads a .safetensors file of float32 into torch tensors: eight bytes of length, a JSON header, the values end to end."""
import json
import math

import torch


def read_safetensors(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    tensors = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        if about["dtype"] != "F32":
            raise ValueError(f"{name} is {about['dtype']}, not F32")
        begin, end = about["data_offsets"]
        count = math.prod(about["shape"])
        assert end - begin == 4 * count
        values = torch.frombuffer(data, dtype=torch.float32, count=count, offset=begin) if count else torch.zeros(0)
        tensors[name] = values.reshape(about["shape"]).clone()
    return tensors
