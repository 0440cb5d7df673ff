"""Float64 values of the nano LoMaR, from the paper's description (arXiv 2206.00790), in plain PyTorch.

Writes fixtures/expected/lomar-nano.json and lomar-nano.bin: loss, prediction and the gradient of every parameter, for parameters and
inputs that follow a formula which test/models/lomar.test.ts shares. Gradients of more than 4096 numbers are kept at every 7th, with the
norm of all. Run from the repository's root: python3 bench/parity/lomar.py (torch 1.13 or later, no other package).
"""
import json
import math
import struct

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

D, L, H, P, K, SIDE, N, M = 64, 4, 2, 8, 5, 64, 2, 2
T = K * K + 1
BUCKETS = 50


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def piecewise(x):
    alpha, beta, gamma = 1.9, 3.8, 15.2
    if abs(x) <= alpha:
        return x
    far = round(alpha + math.log(abs(x) / alpha) / math.log(gamma / alpha) * (beta - alpha))
    return int(math.copysign(min(far, beta), x))


def bucket(query, key):
    if query == 0 or key == 0:
        return 49
    (r, c), (s, d) = divmod(query - 1, K), divmod(key - 1, K)
    return (piecewise(r - s) + 3) * 7 + piecewise(c - d) + 3


ids = torch.tensor([[bucket(i, j) for j in range(T)] for i in range(T)])

shapes = {"cls_token": (1, 1, D), "mask_token": (1, 1, D), "patch_embed.proj.weight": (D, 3, P, P), "patch_embed.proj.bias": (D,)}
for b in range(L):
    shapes.update({
        f"blocks.{b}.norm1.weight": (D,), f"blocks.{b}.norm1.bias": (D,),
        f"blocks.{b}.attn.qkv.weight": (3 * D, D), f"blocks.{b}.attn.qkv.bias": (3 * D,),
        f"blocks.{b}.attn.proj.weight": (D, D), f"blocks.{b}.attn.proj.bias": (D,),
        f"blocks.{b}.attn.rpe_k.lookup_table_weight": (1, D // H, BUCKETS),
        f"blocks.{b}.norm2.weight": (D,), f"blocks.{b}.norm2.bias": (D,),
        f"blocks.{b}.mlp.fc1.weight": (4 * D, D), f"blocks.{b}.mlp.fc1.bias": (4 * D,),
        f"blocks.{b}.mlp.fc2.weight": (D, 4 * D), f"blocks.{b}.mlp.fc2.bias": (D,),
    })
shapes.update({"norm.weight": (D,), "norm.bias": (D,), "decoder_pred.weight": (3 * P * P, D), "decoder_pred.bias": (3 * P * P,)})


def values(index, name, shape):
    """The shared formula: waves whose phase depends on the parameter's place and the number's, in the file's layout."""
    count = math.prod(shape)
    centre = 1 if name.endswith("weight") and "norm" in name else 0
    spread = 0.1 if len(shape) == 1 else 0.15
    wave = [single(centre + spread * math.cos(0.61 * j + 1.7 * index + 0.13 * (j * j % 101))) for j in range(count)]
    return torch.tensor(wave).reshape(shape).requires_grad_()


pictures = torch.tensor([(31 * i + 7 * (i * i % 251) + i // 97) % 256 for i in range(N * SIDE * SIDE * 3)]).reshape(N, SIDE, SIDE, 3)
windows = [[(1, 2), (3, 0)], [(0, 3), (2, 1)]]
masks = torch.tensor([[1.0 if (7 * t + 3 * v) % 5 < 3 else 0.0 for t in range(K * K)] for v in range(N * M)])


def patches():
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (pictures / 255 - mean) / std
    grid = x.reshape(N, SIDE // P, P, SIDE // P, P, 3).permute(0, 1, 3, 2, 4, 5)
    cut = [grid[n, top:top + K, left:left + K].reshape(K * K, P * P * 3) for n in range(N) for top, left in windows[n]]
    return torch.stack(cut)


def forward(p, x, scaled):
    weight = p["patch_embed.proj.weight"].permute(2, 3, 1, 0).reshape(-1, D)
    tokens = x @ weight + p["patch_embed.proj.bias"]
    tokens = tokens * (1 - masks[..., None]) + p["mask_token"] * masks[..., None]
    h = torch.cat([p["cls_token"].expand(len(x), 1, D), tokens], 1)
    d = D // H
    for b in range(L):
        q = lambda name: p[f"blocks.{b}.{name}"]
        n = F.layer_norm(h, (D,), q("norm1.weight"), q("norm1.bias"), 1e-6)
        qkv = F.linear(n, q("attn.qkv.weight"), q("attn.qkv.bias")).reshape(len(x), T, 3, H, d).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        logits = query @ key.transpose(-1, -2) / math.sqrt(d)
        table = q("attn.rpe_k.lookup_table_weight")[0]
        per_bucket = (query / math.sqrt(d) if scaled else query) @ table
        logits = logits + torch.gather(per_bucket, 3, ids.expand(len(x), H, T, T))
        mixed = (logits.softmax(-1) @ value).transpose(1, 2).reshape(len(x), T, D)
        h = h + F.linear(mixed, q("attn.proj.weight"), q("attn.proj.bias"))
        n = F.layer_norm(h, (D,), q("norm2.weight"), q("norm2.bias"), 1e-6)
        h = h + F.linear(F.gelu(F.linear(n, q("mlp.fc1.weight"), q("mlp.fc1.bias"))), q("mlp.fc2.weight"), q("mlp.fc2.bias"))
    h = F.layer_norm(h, (D,), p["norm.weight"], p["norm.bias"], 1e-6)
    return F.linear(h, p["decoder_pred.weight"], p["decoder_pred.bias"])[:, 1:]


def run(target, scaled):
    p = {name: values(i, name, shape) for i, (name, shape) in enumerate(shapes.items())}
    x = patches()
    prediction = forward(p, x, scaled)
    goal = x
    if target == "patchNorm":
        goal = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=True) + 1e-6).sqrt()
    loss = (((prediction - goal) ** 2).mean(-1) * masks).sum() / masks.sum()
    loss.backward()
    return loss.item(), prediction.detach().flatten(), {name: v.grad.flatten() for name, v in p.items()}


loss, prediction, grads = run("patchNorm", False)
record = {"loss": loss, "prediction": {"from": 0, "count": len(prediction)}, "gradients": {}}
numbers = prediction.tolist()
for name, g in grads.items():
    stride = 7 if len(g) > 4096 else 1
    kept = g[::stride].tolist()
    record["gradients"][name] = {"from": len(numbers), "count": len(kept), "stride": stride, "norm": g.norm().item()}
    numbers += kept
for target, scaled in [("pixels", False), ("patchNorm", True)]:
    other, _, other_grads = run(target, scaled)
    record[f"{target}{'Scaled' if scaled else ''}"] = {"loss": other, "norms": {k: g.norm().item() for k, g in other_grads.items()}}

with open("fixtures/expected/lomar-nano.json", "w") as f:
    json.dump(record, f, indent=1)
    f.write("\n")
with open("fixtures/expected/lomar-nano.bin", "wb") as f:
    f.write(struct.pack(f"<{len(numbers)}f", *numbers))
print(f"loss {loss:.9f}, {len(numbers)} numbers, torch {torch.__version__}")
