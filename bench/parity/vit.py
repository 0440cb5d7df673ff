"""What LoMaR, MAE and SRMAE share, in plain PyTorch: parameters by timm's names, a transformer block, positions, patches, the loss.

A model here is two functions over a dictionary of tensors by name: `shapes(config)`, every parameter in the order of the layers, and
`predict(p, inputs, config)`. The dtype is that of the parameters, so the same text serves float64 references and float32 timings.
"""
import math

import torch
import torch.nn.functional as F

SIZES = {"nano": (64, 4, 2), "tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def linear_shapes(name, inner, outer):
    return {f"{name}.weight": (outer, inner), f"{name}.bias": (outer,)}


def norm_shapes(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def embed_shapes(patch, width):
    return {"patch_embed.proj.weight": (width, 3, patch, patch), "patch_embed.proj.bias": (width,)}


def block_shapes(prefix, width, heads, buckets=None):
    table = {} if buckets is None else {f"{prefix}.attn.rpe_k.lookup_table_weight": (1, width // heads, buckets)}
    return {
        **norm_shapes(f"{prefix}.norm1", width),
        **linear_shapes(f"{prefix}.attn.qkv", width, 3 * width),
        **linear_shapes(f"{prefix}.attn.proj", width, width),
        **table,
        **norm_shapes(f"{prefix}.norm2", width),
        **linear_shapes(f"{prefix}.mlp.fc1", width, 4 * width),
        **linear_shapes(f"{prefix}.mlp.fc2", 4 * width, width),
    }


def linear(p, name, x):
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], 1e-6)


def embed(p, patches):
    """Patches [..., p*p*3], channel fastest, to tokens [..., D]: the strided convolution as one product."""
    weight = p["patch_embed.proj.weight"]
    return F.linear(patches, weight.permute(0, 2, 3, 1).reshape(len(weight), -1), p["patch_embed.proj.bias"])


def block(p, prefix, x, heads, relative=None):
    """Pre-norm: x + Attn(LN x), then x + MLP(LN x), exact GELU. `relative(query)` gives logits to be added."""
    N, T, D = x.shape
    d = D // heads
    qkv = linear(p, f"{prefix}.attn.qkv", norm(p, f"{prefix}.norm1", x)).view(N, T, 3, heads, d).permute(2, 0, 3, 1, 4)
    query, key, value = qkv.unbind(0)
    if relative is None and hasattr(F, "scaled_dot_product_attention"):
        mixed = F.scaled_dot_product_attention(query, key, value)
    else:
        logits = (query * d ** -0.5) @ key.transpose(-2, -1)
        if relative is not None:
            logits += relative(query)
        mixed = logits.softmax(-1) @ value
    x = x + linear(p, f"{prefix}.attn.proj", mixed.transpose(1, 2).reshape(N, T, D))
    return x + linear(p, f"{prefix}.mlp.fc2", F.gelu(linear(p, f"{prefix}.mlp.fc1", norm(p, f"{prefix}.norm2", x))))


tables = {}


def positions(grid, width, dtype, device=None):
    """MAE's fixed table [grid*grid + 1, width], made once: a compiler then takes it for a constant."""
    key = (grid, width, dtype, device)
    if key not in tables:
        tables[key] = sines(grid, width).to(dtype=dtype, device=device)
    return tables[key]


def sines(grid, width):
    """A row of zeros for cls; then sines and cosines of the column, then of the row."""
    rates = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * rates
    one = torch.cat([angles.sin(), angles.cos()], 1)
    column = one[None].expand(grid, grid, -1)
    row = one[:, None].expand(grid, grid, -1)
    table = torch.cat([column, row], 2).reshape(grid * grid, width)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), table])


def normalise(picture, dtype):
    """uint8 [N, H, W, 3] to normalised pixels."""
    mean, std = (torch.tensor(v, dtype=dtype, device=picture.device) for v in (MEAN, STD))
    return (picture.to(dtype) / 255 - mean) / std


def patchify(x, patch):
    """[N, H, W, 3] to [N, H/p, W/p, p*p*3]: cut, and flatten row by row with the channel fastest."""
    N, H, W, _ = x.shape
    cut = x.reshape(N, H // patch, patch, W // patch, patch, 3).permute(0, 1, 3, 2, 4, 5)
    return cut.reshape(N, H // patch, W // patch, patch * patch * 3)


def masked_loss(prediction, patches, masks, target):
    """Mean squared error over values, then over hidden tokens. `patchNorm` standardises each patch of the goal by itself."""
    if target == "patchNorm":
        mean, var = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True, unbiased=True)
        patches = (patches - mean) / (var + 1e-6).sqrt()
    return (((prediction - patches) ** 2).mean(-1) * masks).sum() / masks.sum()


def order(masks, keep=None):
    """Indices of what is visible [N, keep] and hidden [N, n - keep], and those [N, n] that put (visible, hidden) back in raster order.

    Who knows how many are kept says so: to count them waits for the device."""
    shuffled = torch.argsort((masks != 0).to(torch.uint8), dim=1, stable=True)
    keep = int((masks[0] == 0).sum()) if keep is None else keep
    return shuffled[:, :keep], shuffled[:, keep:], torch.argsort(shuffled, dim=1)


def take(x, ids):
    """Rows `ids` [N, k] of x [N, n, D]."""
    return torch.gather(x, 1, ids[..., None].expand(-1, -1, x.shape[-1]))


def gradient(parameter):
    """Zeros for a parameter that the loss does not depend on."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def encode(p, patches, kept, c):
    """MAE's and SRMAE's encoder on the visible patches: [N, n, p*p*3] and indices [N, keep] to [N, cls + keep, D], normalised."""
    width, depth, heads = SIZES[c["size"]]
    table = positions(math.isqrt(patches.shape[1]), width, patches.dtype, patches.device)
    x = embed(p, take(patches, kept)) + table[1:][kept]
    x = torch.cat([p["cls_token"].expand(len(x), -1, -1), x], 1)
    for i in range(depth):
        x = block(p, f"blocks.{i}", x, heads)
    return norm(p, "norm", x)


def encoder_shapes(c, mask_token=None, buckets=None):
    width, depth, heads = SIZES[c["size"]]
    shapes = {"cls_token": (1, c.get("clsTokens", 1), width)}
    if mask_token is not None:
        shapes["mask_token"] = (1, 1, mask_token)
    shapes.update(embed_shapes(c["patch"], width))
    for i in range(depth):
        shapes.update(block_shapes(f"blocks.{i}", width, heads, buckets))
    return {**shapes, **norm_shapes("norm", width)}


def decoder_shapes(c, buckets=None):
    width, depth, heads = c["decoder"]
    shapes = {}
    for i in range(depth):
        shapes.update(block_shapes(f"decoder_blocks.{i}", width, heads, buckets))
    return {**shapes, **norm_shapes("decoder_norm", width), **linear_shapes("decoder_pred", width, 3 * c["patch"] ** 2)}


def decode(p, x, c):
    """The decoder's blocks on [N, cls + n, D'], the cls tokens in front; returns [N, n, p*p*3]."""
    _, depth, heads = c["decoder"]
    for i in range(depth):
        x = block(p, f"decoder_blocks.{i}", x, heads)
    return linear(p, "decoder_pred", norm(p, "decoder_norm", x))[:, c.get("clsTokens", 1):]
