"""LoMaR (arXiv 2206.00790) in plain PyTorch: windows of K x K patches, a plain encoder with contextual relative positions, one linear head."""
import math

import torch

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
    width = vit.SIZES[c["size"]][0]
    return {**vit.encoder_shapes(c, mask_token=width, buckets=BUCKETS), **vit.linear_shapes("decoder_pred", width, 3 * c["patch"] ** 2)}


def relative_logits(p, prefix, ids, scaled):
    """q . R of every bucket, then the bucket of each pair: [N, h, T, d] to [N, h, T, T]."""
    table = p[f"{prefix}.attn.rpe_k.lookup_table_weight"][0]

    def logits(query):
        per_bucket = (query * query.shape[-1] ** -0.5 if scaled else query) @ table
        return torch.gather(per_bucket, 3, ids.expand(*query.shape[:3], -1))

    return logits


def window_patches(inputs, c, dtype):
    """The patches of every window in normalised pixels, [N*M, K*K, p*p*3]."""
    K = c["K"]
    cells = vit.patchify(inputs["picture"], c["patch"])
    N, g, _, values = cells.shape
    windows = inputs["windows"].long()
    offsets = torch.arange(K, device=windows.device)
    rows = windows[..., 0, None, None] + offsets[:, None]
    columns = windows[..., 1, None, None] + offsets
    cut = cells[torch.arange(N, device=windows.device)[:, None, None, None], rows, columns]
    flat = cut.reshape(-1, K * K, values // 3, 3)
    return vit.normalise(flat, dtype).reshape(-1, K * K, values)


def predict(p, inputs, c):
    """The goal [N*M, K*K, p*p*3] and what the model makes of it."""
    _, depth, heads = vit.SIZES[c["size"]]
    x = window_patches(inputs, c, p["cls_token"].dtype)
    masks = inputs["masks"].reshape(len(x), -1, 1) != 0
    tokens = torch.where(masks, p["mask_token"], vit.embed(p, x))
    h = torch.cat([p["cls_token"].expand(len(x), -1, -1), tokens], 1)
    ids = bucket_ids(c["K"], x.device)
    for i in range(depth):
        h = vit.block(p, f"blocks.{i}", h, heads, relative_logits(p, f"blocks.{i}", ids, c["rpeScaled"]))
    return x, vit.linear(p, "decoder_pred", vit.norm(p, "norm", h))[:, 1:]


def loss(p, inputs, c):
    """Loss and prediction of a micro-batch: picture uint8 [N, H, W, 3], windows [N, M, 2], masks [N, M, K*K]."""
    x, prediction = predict(p, inputs, c)
    masks = inputs["masks"].reshape(len(x), -1).to(x.dtype)
    return vit.masked_loss(prediction, x, masks, c["target"]), prediction
