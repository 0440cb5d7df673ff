"""The tokenizer (a discrete VAE, arXiv 2102.12092) in plain PyTorch: convolutions that halve the sides, a relaxed choice of codes, and back."""
import math

import torch
import torch.nn.functional as F

import vit

# Codes, width of a code, channels, halvings.
TOKENIZERS = {"nano": (64, 32, 32, 2), "small": (512, 512, 64, 3)}


def conv_shapes(name, side, inner, outer, enlarges=False):
    ends = (inner, outer) if enlarges else (outer, inner)
    return {f"{name}.weight": (*ends, side, side), f"{name}.bias": (outer,)}


def residual_shapes(name, width):
    sides = {"conv1": 3, "conv2": 3, "conv3": 1}
    return {k: v for conv, side in sides.items() for k, v in conv_shapes(f"{name}.{conv}", side, width, width).items()}


def shapes(c):
    vocabulary, code, width, halvings = TOKENIZERS[c["size"]]
    found = {}
    for i in range(halvings):
        found.update(conv_shapes(f"encoder.{i}.conv", 4, width if i else 3, width))
        found.update(residual_shapes(f"encoder.{i}.res", width))
    found.update(conv_shapes("encoder.logits", 1, width, vocabulary))
    found["codebook.weight"] = (vocabulary, code)
    for i in range(halvings):
        found.update(conv_shapes(f"decoder.{i}.conv", 4, width if i else code, width, enlarges=True))
        found.update(residual_shapes(f"decoder.{i}.res", width))
    return {**found, **conv_shapes("decoder.pixels", 1, width, 3)}


def conv(p, name, x, **how):
    return F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], **how)


def residual(p, name, x):
    y = conv(p, f"{name}.conv1", x, padding=1).relu()
    return x + conv(p, f"{name}.conv3", conv(p, f"{name}.conv2", y, padding=1).relu())


def scores(p, x, c):
    """Normalised pixels [N, 3, H, W] to scores of codes [N, V, g, g]."""
    for i in range(TOKENIZERS[c["size"]][3]):
        x = residual(p, f"encoder.{i}.res", conv(p, f"encoder.{i}.conv", x, stride=2, padding=1).relu())
    return conv(p, "encoder.logits", x)


def decode(p, codes, c):
    """What each code counts for, [N, V, g, g], to normalised pixels [N, 3, H, W]."""
    x = torch.einsum("nvhw,vc->nchw", codes, p["codebook.weight"])
    for i in range(TOKENIZERS[c["size"]][3]):
        name = f"decoder.{i}.conv"
        x = F.conv_transpose2d(x, p[f"{name}.weight"], p[f"{name}.bias"], stride=2, padding=1).relu()
        x = residual(p, f"decoder.{i}.res", x)
    return conv(p, "decoder.pixels", x)


def loss(p, inputs, c):
    """Loss, and the pictures of one code for each patch, cut into patches, of a micro-batch: picture uint8 [N, H, W, 3], noise [N, n, V]."""
    pixels = vit.normalise(inputs["picture"], p["codebook.weight"].dtype).permute(0, 3, 1, 2)
    logits = scores(p, pixels, c)
    noise = inputs["noise"].transpose(1, 2).reshape(logits.shape)
    soft = ((logits + noise) / c["temperature"]).softmax(1)
    if c["hard"]:
        chosen = F.one_hot(soft.argmax(1), soft.shape[1]).permute(0, 3, 1, 2).to(soft.dtype)
        soft = chosen + soft - soft.detach()
    made = decode(p, soft, c)
    error = F.mse_loss(made, pixels) if c["loss"] == "mse" else F.smooth_l1_loss(made, pixels)
    log = logits.log_softmax(1)
    divergence = (log.exp() * (log + math.log(logits.shape[1]))).sum(1).mean()
    one = F.one_hot(logits.argmax(1), logits.shape[1]).permute(0, 3, 1, 2).to(logits.dtype)
    shown = decode(p, one, c).permute(0, 2, 3, 1)
    return error + c["kl"] * divergence, vit.patchify(shown, c["patch"]).flatten(1, 2)
