"""SRMAE (arXiv 2308.08884) in plain PyTorch: MAE's encoder, hidden patches given at low resolution, a super-resolution module over the grid.

The paper leaves open how low-resolution patches reach the head's width, and where cls goes: an own linear map, and around the module.
"""
import math

import torch
import torch.nn.functional as F

import vit

ARFBS = ("arfb_in", "arfb_low", "arfb_high", "arfb_out")


def conv_shapes(name, inner, outer, side, bias=True):
    return {f"{name}.weight": (outer, inner, side, side), **({f"{name}.bias": (outer,)} if bias else {})}


def attention_shapes(name, n):
    return {**conv_shapes(f"{name}.fc1", n, n // 16, 1), **conv_shapes(f"{name}.fc2", n // 16, n, 1)}


def unit_shapes(name, n):
    return {
        **conv_shapes(f"{name}.conv1", n, n // 2, 3),
        f"{name}.act.weight": (n // 2,),
        **conv_shapes(f"{name}.conv2", n // 2, n, 3),
    }


def module_shapes(kind, n):
    """The super-resolution module's parameters: ESRT's high-preserving block, one residual unit, or none."""
    top = "super_resolution"
    if kind == "none":
        return {}
    if kind == "residual":
        return unit_shapes(top, n)
    shapes = {}
    for name in (f"{top}.{arfb}" for arfb in ARFBS):
        for unit in ("ru1", "ru2"):
            shapes.update({**unit_shapes(f"{name}.{unit}", n), f"{name}.{unit}.scale1": (1,), f"{name}.{unit}.scale2": (1,)})
        shapes.update(conv_shapes(f"{name}.fuse1", 2 * n, n, 1, bias=False))
        shapes.update(conv_shapes(f"{name}.fuse2", n, n, 3, bias=False))
        shapes.update(attention_shapes(f"{name}.ca", n))
        # ESRT declares the seventh and never uses it; it counts among the block's parameters.
        shapes.update({f"{name}.scale{i}": (1,) for i in (3, 4, 5, 6, 7)})
    return {**shapes, **conv_shapes(f"{top}.fuse", 2 * n, n, 1, bias=False), **attention_shapes(f"{top}.ca", n)}


def shapes(c):
    width, inner = c["decoder"][0], vit.SIZES[c["size"]][0]
    return {
        **vit.encoder_shapes(c),
        **vit.linear_shapes("decoder_embed", inner, width),
        **vit.linear_shapes("lr_embed", 3 * c["patch"] ** 2, width),
        **module_shapes(c["superResolution"], width),
        **vit.decoder_shapes(c),
    }


def conv(p, name, x):
    weight = p[f"{name}.weight"]
    return F.conv2d(x, weight, p.get(f"{name}.bias"), padding=weight.shape[-1] // 2)


def reduced(p, name, x):
    """The branch of a residual unit: 3 x 3 to half the channels, PReLU, 3 x 3 back."""
    return conv(p, f"{name}.conv2", F.prelu(conv(p, f"{name}.conv1", x), p[f"{name}.act.weight"]))


def residual_unit(p, name, x):
    return p[f"{name}.scale1"] * x + p[f"{name}.scale2"] * reduced(p, name, x)


def channel_attention(p, name, x):
    pooled = x.mean((2, 3), keepdim=True)
    return x * conv(p, f"{name}.fc2", conv(p, f"{name}.fc1", pooled).relu()).sigmoid()


def arfb(p, name, x):
    """ESRT's adaptive residual feature block."""
    a = residual_unit(p, f"{name}.ru1", x)
    b = residual_unit(p, f"{name}.ru2", a)
    f = conv(p, f"{name}.fuse1", torch.cat([p[f"{name}.scale3"] * b, p[f"{name}.scale4"] * a], 1)).relu()
    f = conv(p, f"{name}.fuse2", channel_attention(p, f"{name}.ca", f)).relu()
    return p[f"{name}.scale5"] * x + p[f"{name}.scale6"] * f


def enlarge(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def high_preserving(p, x):
    """ESRT's HPB on [N, n, g, g]."""
    top = "super_resolution"
    e = arfb(p, f"{top}.arfb_in", x)
    low = F.avg_pool2d(e, 2)
    high = arfb(p, f"{top}.arfb_high", e - enlarge(low, e.shape[2:]))
    for _ in range(5):
        low = arfb(p, f"{top}.arfb_low", low)
    z = conv(p, f"{top}.fuse", torch.cat([enlarge(low, e.shape[2:]), high], 1)).relu()
    return arfb(p, f"{top}.arfb_out", channel_attention(p, f"{top}.ca", z)) + x


def super_resolution(p, x, kind):
    if kind == "none":
        return x
    return high_preserving(p, x) if kind == "hpb" else x + reduced(p, "super_resolution", x)


def nearest(small, side):
    """Enlarges [N, h, w, 3] to [N, side, side, 3]: the source of row r is floor(r * h / side)."""
    rows, columns = (torch.arange(side, device=small.device) * s // side for s in small.shape[1:3])
    return small[:, rows][:, :, columns]


def predict(p, patches, low, masks, c):
    """Patches [N, n, p*p*3] at full and at low resolution, and masks [N, n], to predictions of the patches' shape."""
    kept, hidden, restore = vit.order(masks, c.get("keep"))
    x = vit.linear(p, "decoder_embed", vit.encode(p, patches, kept, c))
    replaced = vit.linear(p, "lr_embed", vit.take(low, hidden))
    cls = c.get("clsTokens", 1)
    full = vit.take(torch.cat([x[:, cls:], replaced], 1), restore)
    N, n, width = full.shape
    grid = math.isqrt(n)
    square = (full + vit.positions(grid, width, x.dtype, x.device)[1:]).transpose(1, 2).reshape(N, width, grid, grid)
    full = super_resolution(p, square, c["superResolution"]).flatten(2).transpose(1, 2)
    return vit.decode(p, torch.cat([x[:, :cls], full], 1), c)


def loss(p, inputs, c):
    """Loss and prediction of a micro-batch: picture uint8 [N, H, W, 3], lr uint8 [N, H/s, W/s, 3], masks [N, n]."""
    dtype, picture = p["cls_token"].dtype, inputs["picture"]
    low = nearest(inputs["lr"], picture.shape[1])
    x, y = (vit.patchify(vit.normalise(v, dtype), c["patch"]).flatten(1, 2) for v in (picture, low))
    prediction = predict(p, x, y, inputs["masks"], c)
    return vit.masked_loss(prediction, x, inputs["masks"].to(dtype), c["target"]), prediction
