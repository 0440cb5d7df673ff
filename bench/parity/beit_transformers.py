"""BEiT as the package transformers has it, with the parameters of ours: an implementation of other hands. Norms there have eps 1e-12; here it is ours."""
import torch
from transformers import BeitConfig, BeitForMaskedImageModeling

import beit
import vit

shapes = beit.shapes


def names_of(depth):
    """Their names by ours; of qkv, its three parts are named on their own."""
    found = {
        "cls_token": "beit.embeddings.cls_token",
        "mask_token": "beit.embeddings.mask_token",
        "patch_embed.proj.weight": "beit.embeddings.patch_embeddings.projection.weight",
        "patch_embed.proj.bias": "beit.embeddings.patch_embeddings.projection.bias",
        "norm.weight": "layernorm.weight",
        "norm.bias": "layernorm.bias",
        "lm_head.weight": "lm_head.weight",
        "lm_head.bias": "lm_head.bias",
    }
    parts = {
        "gamma_1": "lambda_1",
        "gamma_2": "lambda_2",
        "norm1.weight": "layernorm_before.weight",
        "norm1.bias": "layernorm_before.bias",
        "attn.q_bias": "attention.q_proj.bias",
        "attn.v_bias": "attention.v_proj.bias",
        "attn.proj.weight": "attention.o_proj.weight",
        "attn.proj.bias": "attention.o_proj.bias",
        "norm2.weight": "layernorm_after.weight",
        "norm2.bias": "layernorm_after.bias",
        "mlp.fc1.weight": "mlp.fc1.weight",
        "mlp.fc1.bias": "mlp.fc1.bias",
        "mlp.fc2.weight": "mlp.fc2.weight",
        "mlp.fc2.bias": "mlp.fc2.bias",
    }
    for i in range(depth):
        found.update({f"blocks.{i}.{ours}": f"beit.layers.{i}.{theirs}" for ours, theirs in parts.items()})
    return found


def loss(p, inputs, c):
    """As `beit.loss`, of the whole grid; what is asked of `p` afterwards, its gradients, is taken from their parameters."""
    width, depth, heads = vit.SIZES[c["size"]]
    config = BeitConfig(
        vocab_size=c["vocabulary"], hidden_size=width, num_hidden_layers=depth, num_attention_heads=heads, intermediate_size=4 * width,
        image_size=c["patch"] * c["K"], patch_size=c["patch"], use_mask_token=True, use_shared_relative_position_bias=True,
        use_relative_position_bias=False, use_absolute_position_embeddings=False, layer_scale_init_value=0.1, layer_norm_eps=1e-6,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, drop_path_rate=0.0, hidden_act="gelu", attn_implementation="eager",
    )
    model = BeitForMaskedImageModeling(config).double()
    theirs = dict(model.named_parameters())
    names = names_of(depth)
    values = {other: p[ours] for ours, other in names.items()}
    for i in range(depth):
        attention = f"beit.layers.{i}.attention"
        for part, weight in zip(("q_proj", "k_proj", "v_proj"), p[f"blocks.{i}.attn.qkv.weight"].chunk(3)):
            values[f"{attention}.{part}.weight"] = weight
    table = next(name for name in theirs if name.endswith("relative_position_bias_table"))
    values[table] = p["rel_pos_bias.relative_position_bias_table"]
    missing = set(theirs) ^ set(values)
    if missing:
        raise ValueError(f"transformers' BEiT has other parameters: {sorted(missing)}")
    pixels = vit.normalise(inputs["picture"], torch.float64).permute(0, 3, 1, 2)
    hidden = inputs["masks"] != 0
    # Called with our tensors in the place of its own, so that gradients come to ours.
    made = torch.func.functional_call(model, values, kwargs={"pixel_values": pixels, "bool_masked_pos": hidden})
    scores = made.logits[hidden]
    return torch.nn.functional.cross_entropy(scores, inputs["codes"][hidden]), scores
