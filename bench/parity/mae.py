"""MAE (arXiv 2111.06377) in plain PyTorch: an encoder on the visible patches, a decoder on all, fixed sine and cosine positions."""
import math

import torch

import vit


def shapes(c):
    width, inner = c["decoder"][0], vit.SIZES[c["size"]][0]
    return {
        **vit.encoder_shapes(c, mask_token=width),
        **vit.linear_shapes("decoder_embed", inner, width),
        **vit.decoder_shapes(c),
    }


def predict(p, patches, masks, c):
    """Patches [N, n, p*p*3] in raster order and masks [N, n] to predictions of the patches' shape."""
    kept, hidden, restore = vit.order(masks, c.get("keep"))
    x, cls = vit.linear(p, "decoder_embed", vit.encode(p, patches, kept, c)), c.get("clsTokens", 1)
    full = vit.take(torch.cat([x[:, cls:], p["mask_token"].expand(*hidden.shape, -1)], 1), restore)
    table = vit.positions(math.isqrt(masks.shape[1]), c["decoder"][0], x.dtype, x.device)
    return vit.decode(p, torch.cat([x[:, :cls], full + table[1:]], 1), c)


def loss(p, inputs, c):
    """Loss and prediction of a micro-batch: picture uint8 [N, H, W, 3], masks [N, n]."""
    x = vit.patchify(vit.normalise(inputs["picture"], p["cls_token"].dtype), c["patch"]).flatten(1, 2)
    prediction = predict(p, x, inputs["masks"], c)
    return vit.masked_loss(prediction, x, inputs["masks"].to(x.dtype), c["target"]), prediction
