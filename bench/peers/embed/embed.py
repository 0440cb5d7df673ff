"""Photographs to vectors as PyTorch users have it: torchvision's decoding in a DataLoader's workers, and the encoder, eager or compiled.

Each line on stdin is a request in JSON, each line on stdout its answer; the first line is the hello, with versions and the settings to try.
{"open": {"model", "size", "patch", "side", "weights", "folder", "batch", "setting"}}: begins to read the folder for ever, in the order of names.
{"turn": {"skip", "batches"}}: skips so many batches and times so many: {"ms", "images"}.
{"vectors": {..., "count"}}: the vectors of the first pictures, in float32: {"rows"}.
{"export": {..., "out"}}: the encoder as ONNX, `pixel_values` [N, 3, H, W] to `last_hidden_state` [N, n + 1, D]: {"out"}.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "parity"))

import torch  # noqa: E402
import torchvision  # noqa: E402
from torchvision.io import ImageReadMode, decode_jpeg, read_file  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

import lomar  # noqa: E402
from safetensors_reader import read_safetensors  # noqa: E402
from vit import MEAN, SIZES, STD, block, embed, norm, positions  # noqa: E402

SETTINGS = [
    {"workers": workers, "compiled": compiled} for compiled in (False, True) for workers in (0, 1, 2)
]
state = {}


def say(answer):
    print(json.dumps(answer), flush=True)


class Photos(torch.utils.data.Dataset):
    """For ever, but for the length that a sampler wants."""

    def __init__(self, folder, side):
        self.paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        self.cut = torch.nn.Sequential(
            v2.Resize(side, interpolation=v2.InterpolationMode.BICUBIC, antialias=True), v2.CenterCrop(side)
        )

    def __len__(self):
        return 10**9

    def __getitem__(self, i):
        path = self.paths[i % len(self.paths)]
        return self.cut(decode_jpeg(read_file(path), mode=ImageReadMode.RGB))


class Whole(torch.nn.Module):
    """The encoder on whole pictures: uint8 [N, 3, H, W] to the tokens [N, n + 1, D]."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        tensors = read_safetensors(c["weights"])
        self.names = [name for name in tensors if not name.startswith("decoder") and name != "pos_embed"]
        for name in self.names:
            self.register_parameter(name.replace(".", "__"), torch.nn.Parameter(tensors[name], requires_grad=False))
        grid = c["side"] // c["patch"]
        self.register_buffer("ids", lomar.bucket_ids(grid) if c["model"] == "lomar" else torch.zeros(0))
        self.register_buffer("table", positions(grid, SIZES[c["size"]][0], torch.float32)[1:].clone())

    def forward(self, pixels):
        """Pixels normalised."""
        c, N, p = self.c, pixels.shape[0], self.c["patch"]
        params = {name: getattr(self, name.replace(".", "__")) for name in self.names}
        grid = c["side"] // p
        patches = pixels.reshape(N, 3, grid, p, grid, p).permute(0, 2, 4, 3, 5, 1).reshape(N, grid * grid, p * p * 3)
        width, depth, heads = SIZES[c["size"]]
        if c["model"] == "lomar":
            x = embed(params, patches)
            x = torch.cat([params["cls_token"].expand(N, -1, -1), x], 1)
            for i in range(depth):
                relative = lomar.relative_logits(params, f"blocks.{i}", self.ids, False)
                x = block(params, f"blocks.{i}", x, heads, relative)
            return norm(params, "norm", x)
        x = embed(params, patches) + self.table
        x = torch.cat([params["cls_token"].expand(N, -1, -1), x], 1)
        for i in range(depth):
            x = block(params, f"blocks.{i}", x, heads)
        return norm(params, "norm", x)


class Vectors(torch.nn.Module):
    """uint8 [N, 3, H, W] to the mean over the patches' tokens [N, D]."""

    def __init__(self, whole):
        super().__init__()
        self.whole = whole
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, pictures):
        return self.whole((pictures.float() / 255 - self.mean) / self.std)[:, 1:].mean(1)


compiled = {}


def vectors_of(c, wants_compiled):
    key = (json.dumps({k: c[k] for k in ("model", "size", "patch", "side", "weights", "batch")}), wants_compiled)
    if key not in compiled:
        made = Vectors(Whole(c)).eval()
        compiled[key] = torch.compile(made, dynamic=False) if wants_compiled else made
    return compiled[key]


def batches(c):
    workers = c["setting"]["workers"]
    more = {"prefetch_factor": 2} if workers else {}
    data = Photos(c["folder"], c["side"])
    return torch.utils.data.DataLoader(
        data, batch_size=c["batch"], shuffle=False, num_workers=workers, sampler=range(10**9), **more
    )


def begin(c):
    state.clear()
    run = vectors_of(c, c["setting"]["compiled"])
    state.update(run=run, stream=iter(batches(c)), batch=c["batch"])
    run(next(state["stream"]))
    return {"opened": True}


def turn(skip, batches):
    run, stream = state["run"], state["stream"]
    for _ in range(skip):
        run(next(stream))
    begun = time.perf_counter()
    for _ in range(batches):
        run(next(stream)).numpy()
    return {"ms": (time.perf_counter() - begun) * 1000, "images": batches * state["batch"]}


def first(c):
    data = Photos(c["folder"], c["side"])
    pictures = torch.stack([data[i] for i in range(c["count"])])
    return {"rows": vectors_of(c, False)(pictures).tolist()}


def export(c):
    whole = Whole(c).eval()
    example = torch.zeros(2, 3, c["side"], c["side"])
    torch.onnx.export(
        whole,
        (example,),
        c["out"],
        input_names=["pixel_values"],
        output_names=["last_hidden_state"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=256)},),
        external_data=False,
        dynamo=True,
    )
    return {"out": c["out"]}


torch.set_num_threads(os.cpu_count())
say({"settings": SETTINGS, "version": f"torch {torch.__version__}, torchvision {torchvision.__version__}"})
for line in sys.stdin:
    try:
        request = json.loads(line)
        with torch.inference_mode("export" not in request):
            if "open" in request:
                say(begin(request["open"]))
            elif "turn" in request:
                say(turn(**request["turn"]))
            elif "vectors" in request:
                say(first(request["vectors"]))
            else:
                say(export(request["export"]))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
