"""LoMaR (arXiv 2206.00790) in plain PyTorch: windows of K x K patches, a plain encoder with contextual relative positions, one linear head.

Its arms, by keys of the configuration: `absolute` positions of the whole picture; `decoder` [width, depth, heads]; `maskTokensFrom`, the block that
mask tokens enter at; `lowResolution`, a super-resolution module, where hidden patches are given at low resolution. Blocks that see visible patches alone run
over all tokens here, with the hidden ones shut out of the attention: what they make of hidden tokens is thrown away.
"""
import math

import torch

import srmae
import vit

BUCKETS = 50


def piecewise(x):
    alpha, beta, gamma = 1.9, 3.8, 15.2
    if abs(x) <= alpha:
        return x
    far = round(alpha + math.log(abs(x) / alpha) / math.log(gamma / alpha) * (beta - alpha))
    return int(math.copysign(min(far, beta), x))


def bucket(query, key, K):
    if query == 0 or key == 0:
        return BUCKETS - 1
    (r, c), (s, d) = divmod(query - 1, K), divmod(key - 1, K)
    return (piecewise(r - s) + 3) * 7 + piecewise(c - d) + 3


tables = {}


def bucket_ids(K, device=None):
    if (K, device) not in tables:
        T = K * K + 1
        tables[K, device] = torch.tensor([[bucket(i, j, K) for j in range(T)] for i in range(T)], device=device)
    return tables[K, device]


def shapes(c):
    width, values = vit.SIZES[c["size"]][0], 3 * c["patch"] ** 2
    decoder, low = c.get("decoder"), c.get("lowResolution")
    entering = decoder[0] if decoder else width
    buckets = None if c.get("absolute") else BUCKETS
    found = vit.encoder_shapes(c, mask_token=None if low else entering, buckets=buckets)
    if decoder:
        found.update(vit.linear_shapes("decoder_embed", width, entering))
    if low:
        found.update(vit.linear_shapes("lr_embed", values, entering))
    if decoder and low:
        found.update(srmae.module_shapes(low, entering))
    return {**found, **(vit.decoder_shapes(c, buckets) if decoder else vit.linear_shapes("decoder_pred", width, values))}


def relative_logits(p, prefix, ids, scaled):
    """q . R of every bucket, then the bucket of each pair: [N, h, T, d] to [N, h, T, T]."""
    table = p[f"{prefix}.attn.rpe_k.lookup_table_weight"][0]

    def logits(query):
        per_bucket = (query * query.shape[-1] ** -0.5 if scaled else query) @ table
        return torch.gather(per_bucket, 3, ids.expand(*query.shape[:3], -1))

    return logits


def added_logits(p, prefix, c, ids, shut=None):
    """What a block adds to its logits: those of relative positions, and for the keys that are shut out, [B, T], minus infinity."""
    relative = None if c.get("absolute") else relative_logits(p, prefix, ids, c["rpeScaled"])
    if shut is None:
        return relative
    out = torch.zeros(shut.shape, dtype=p["cls_token"].dtype, device=shut.device).masked_fill(shut, -math.inf)[:, None, None]
    return lambda query: out if relative is None else relative(query) + out


def cut_windows(cells, windows, K):
    """The cells of every window, of [N, g, g, ...]: [N, M, K, K, ...]."""
    offsets = torch.arange(K, device=windows.device)
    rows = windows[..., 0, None, None] + offsets[:, None]
    columns = windows[..., 1, None, None] + offsets
    return cells[torch.arange(len(cells), device=windows.device)[:, None, None, None], rows, columns]


def window_patches(inputs, c, dtype, picture=None):
    """The patches of every window in normalised pixels, [N*M, K*K, p*p*3]; of another picture of the same size, if one is given."""
    K = c["K"]
    cells = vit.patchify(inputs["picture"] if picture is None else picture, c["patch"])
    cut = cut_windows(cells, inputs["windows"].long(), K)
    values = cells.shape[-1]
    flat = cut.reshape(-1, K * K, values // 3, 3)
    return vit.normalise(flat, dtype).reshape(-1, K * K, values)


def places(inputs, c, width, dtype):
    """The fixed positions of every window's patches in the whole picture: [N*M, K*K, width], or 0 where positions are relative."""
    if not c.get("absolute"):
        return 0
    N, side = inputs["picture"].shape[:2]
    g = side // c["patch"]
    table = vit.positions(g, width, dtype, inputs["picture"].device)[1:].reshape(1, g, g, width).expand(N, -1, -1, -1)
    return cut_windows(table, inputs["windows"].long(), c["K"]).reshape(-1, c["K"] ** 2, width)


def predict(p, inputs, c):
    """The goal [N*M, K*K, p*p*3] and what the model makes of it."""
    width, depth, heads = vit.SIZES[c["size"]]
    decoder, low, K = c.get("decoder"), c.get("lowResolution"), c["K"]
    dtype = p["cls_token"].dtype
    x = window_patches(inputs, c, dtype)
    masks = inputs["masks"].reshape(len(x), -1, 1) != 0
    entering = p["mask_token"] if not low else vit.linear(
        p, "lr_embed", window_patches(inputs, c, dtype, srmae.nearest(inputs["lr"], inputs["picture"].shape[1])))
    tokens = vit.embed(p, x) + places(inputs, c, width, dtype)
    h = torch.cat([p["cls_token"].expand(len(x), -1, -1), tokens], 1)
    shut = torch.cat([torch.zeros_like(masks[:, :1, 0]), masks[..., 0]], 1)
    ids = bucket_ids(K, x.device)

    def replaced(h, width):
        return torch.cat([h[:, :1], torch.where(masks, entering + places(inputs, c, width, dtype), h[:, 1:])], 1)

    late = depth if decoder else c.get("maskTokensFrom", 0)
    for i in range(depth):
        if i == late:
            h = replaced(h, width)
        h = vit.block(p, f"blocks.{i}", h, heads, added_logits(p, f"blocks.{i}", c, ids, shut if i < late else None))
    if not decoder:
        return x, vit.linear(p, "decoder_pred", vit.norm(p, "norm", h))[:, 1:]
    h = vit.linear(p, "decoder_embed", vit.norm(p, "norm", h))
    h = torch.cat([h[:, :1], h[:, 1:] + places(inputs, c, decoder[0], dtype)], 1)
    h = replaced(h, decoder[0])
    if low:
        square = h[:, 1:].transpose(1, 2).reshape(len(h), decoder[0], K, K)
        h = torch.cat([h[:, :1], srmae.super_resolution(p, square, low).flatten(2).transpose(1, 2)], 1)
    for i in range(decoder[1]):
        prefix = f"decoder_blocks.{i}"
        h = vit.block(p, prefix, h, decoder[2], added_logits(p, prefix, c, ids))
    return x, vit.linear(p, "decoder_pred", vit.norm(p, "decoder_norm", h))[:, 1:]


def loss(p, inputs, c):
    """Loss and prediction of a micro-batch: picture uint8 [N, H, W, 3], windows [N, M, 2], masks [N, M, K*K], perhaps lr uint8 [N, h, w, 3]."""
    x, prediction = predict(p, inputs, c)
    masks = inputs["masks"].reshape(len(x), -1).to(x.dtype)
    return vit.masked_loss(prediction, x, masks, c["target"]), prediction
