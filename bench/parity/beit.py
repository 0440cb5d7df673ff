"""BEiT (arXiv 2106.08254) in plain PyTorch, on the whole grid or in LoMaR's windows: hidden patches become a token, their codes are told."""
import math

import torch
import torch.nn.functional as F

import vit


def block_shapes(prefix, width):
    linear = {
        **vit.linear_shapes(f"{prefix}.attn.proj", width, width),
        **vit.norm_shapes(f"{prefix}.norm2", width),
        **vit.linear_shapes(f"{prefix}.mlp.fc1", width, 4 * width),
        **vit.linear_shapes(f"{prefix}.mlp.fc2", 4 * width, width),
    }
    return {
        f"{prefix}.gamma_1": (width,),
        f"{prefix}.gamma_2": (width,),
        **vit.norm_shapes(f"{prefix}.norm1", width),
        f"{prefix}.attn.q_bias": (width,),
        f"{prefix}.attn.v_bias": (width,),
        f"{prefix}.attn.qkv.weight": (3 * width, width),
        **linear,
    }


def shapes(c):
    width, depth, heads = vit.SIZES[c["size"]]
    found = {"cls_token": (1, 1, width), "mask_token": (1, 1, width), **vit.embed_shapes(c["patch"], width)}
    found["rel_pos_bias.relative_position_bias_table"] = ((2 * c["K"] - 1) ** 2 + 3, heads)
    for i in range(depth):
        found.update(block_shapes(f"blocks.{i}", width))
    return {**found, **vit.norm_shapes("norm", width), **vit.linear_shapes("lm_head", width, c["vocabulary"])}


def bias_row(query, key, K):
    """The row of the table for a pair, cls being 0."""
    span = 2 * K - 1
    if query == 0 or key == 0:
        return span * span + (2 if query == key else 0 if query == 0 else 1)
    (r, s), (t, u) = divmod(query - 1, K), divmod(key - 1, K)
    return (r - t + K - 1) * span + s - u + K - 1


def pair_bias(table, K):
    T = K * K + 1
    ids = torch.tensor([[bias_row(i, j, K) for j in range(T)] for i in range(T)], device=table.device)
    return table[ids].permute(2, 0, 1)


def block(p, prefix, x, heads, bias):
    N, T, D = x.shape
    q, v = p[f"{prefix}.attn.q_bias"], p[f"{prefix}.attn.v_bias"]
    qkv = F.linear(vit.norm(p, f"{prefix}.norm1", x), p[f"{prefix}.attn.qkv.weight"], torch.cat([q, torch.zeros_like(q), v]))
    query, key, value = qkv.reshape(N, T, 3, heads, D // heads).permute(2, 0, 3, 1, 4)
    logits = query @ key.transpose(-2, -1) * (D // heads) ** -0.5 + bias
    mixed = (logits.softmax(-1) @ value).transpose(1, 2).reshape(N, T, D)
    x = x + p[f"{prefix}.gamma_1"] * vit.linear(p, f"{prefix}.attn.proj", mixed)
    hidden = F.gelu(vit.linear(p, f"{prefix}.mlp.fc1", vit.norm(p, f"{prefix}.norm2", x)))
    return x + p[f"{prefix}.gamma_2"] * vit.linear(p, f"{prefix}.mlp.fc2", hidden)


def cut(cells, inputs, K):
    """What lies in the windows of a grid [N, g, g, ...]: [N*M, K*K, ...]; all of it where there are no windows."""
    if "windows" not in inputs:
        return cells.flatten(1, 2)
    windows = inputs["windows"].long()
    rows = windows[..., 0, None, None] + torch.arange(K, device=windows.device)[:, None]
    columns = windows[..., 1, None, None] + torch.arange(K, device=windows.device)
    found = cells[torch.arange(len(cells), device=windows.device)[:, None, None, None], rows, columns]
    return found.reshape(-1, K * K, *cells.shape[3:])


def loss(p, inputs, c):
    """Loss, and the scores of hidden patches, of a micro-batch: picture uint8 [N, H, W, 3], codes [N, n], masks [N, n] or [N, M, K*K] with windows [N, M, 2]."""
    _, depth, heads = vit.SIZES[c["size"]]
    cells = vit.patchify(vit.normalise(inputs["picture"], p["cls_token"].dtype), c["patch"])
    x = vit.embed(p, cut(cells, inputs, c["K"]))
    grid = math.isqrt(inputs["codes"].shape[1])
    codes = cut(inputs["codes"].reshape(-1, grid, grid), inputs, c["K"])
    hidden = inputs["masks"].reshape(x.shape[:2]) != 0
    x = torch.where(hidden[..., None], p["mask_token"], x)
    x = torch.cat([p["cls_token"].expand(len(x), -1, -1), x], 1)
    bias = pair_bias(p["rel_pos_bias.relative_position_bias_table"], c["K"])
    for i in range(depth):
        x = block(p, f"blocks.{i}", x, heads, bias)
    scores = vit.linear(p, "lm_head", vit.norm(p, "norm", x[:, 1:][hidden]))
    return F.cross_entropy(scores, codes[hidden]), scores
