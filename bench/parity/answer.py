"""Answers bench/parity.ts in float64. Each line on stdin names a model, its configuration and a folder with `model.safetensors` and
`inputs.safetensors`; `answer.safetensors` gets the loss, the prediction (pixels shown, or scores of codes), and the gradient of every parameter (`gradient.<name>`)."""
import json
import math
import sys

import torch

import beit
import lomar
import mae
import srmae
import tensors
import tokenizer
import vit

MODELS = {"lomar": lomar, "lomar-srmae": lomar, "mae": mae, "srmae": srmae, "tokenizer": tokenizer, "beit": beit, "lomar-beit": beit}
INTEGERS = ("picture", "lr", "windows", "masks", "codes")


def model_of(name):
    if name == "beit_transformers":
        # Only where it is asked for: it is a package of many.
        import beit_transformers

        return beit_transformers
    return MODELS[name]


def patches_of(name, inputs, c):
    if MODELS[name] is lomar:
        return lomar.window_patches(inputs, c, torch.float64)
    return vit.patchify(vit.normalise(inputs["picture"], torch.float64), c["patch"]).flatten(1, 2)


def check_positions(name, table, cls):
    """Files carry the fixed tables for other readers; here they are computed, and those of the file must be the same."""
    expected = vit.positions(math.isqrt(table.shape[1] - cls), table.shape[2], torch.float64)
    if table[0, :cls].any() or (table[0, cls:] - expected[1:]).abs().max() > 1e-6:
        raise ValueError(f"{name} is another table")


def answer(name, c, folder):
    model = model_of(name)
    stored = tensors.read(f"{folder}/model.safetensors")
    for fixed in ("pos_embed", "decoder_pos_embed"):
        if fixed in stored:
            check_positions(fixed, stored.pop(fixed), c.get("clsTokens", 1))
    p = {k: v.requires_grad_() for k, v in stored.items()}
    expected = {k: tuple(shape) for k, shape in model.shapes(c).items()}
    found = {k: tuple(v.shape) for k, v in p.items()}
    if list(found.items()) != list(expected.items()):
        raise ValueError(f"{name}: other parameters: {set(found.items()) ^ set(expected.items()) or 'another order'}")
    inputs = {k: v.long() if k in INTEGERS else v for k, v in tensors.read(f"{folder}/inputs.safetensors").items()}
    loss, prediction = model.loss(p, inputs, c)
    loss.backward()
    if c["target"] == "patchNorm":
        x = patches_of(name, inputs, c)
        prediction = prediction * (x.var(-1, keepdim=True, unbiased=True) + 1e-6).sqrt() + x.mean(-1, keepdim=True)
    # A parameter that nothing uses (ESRT declares some) has none.
    gradients = {f"gradient.{k}": torch.zeros_like(v) if v.grad is None else v.grad for k, v in p.items()}
    result = {"loss": loss.reshape(1), "prediction": prediction, **gradients}
    tensors.write(f"{folder}/answer.safetensors", result)


print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer(request["model"], request["config"], request["folder"])
        print("{}", flush=True)
    except Exception as error:
        print(json.dumps({"error": str(error)}), flush=True)
