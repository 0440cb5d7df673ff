#include "fused.h"
#include "ops.h"

namespace patchstream {

namespace {

// What was not given stays undefined.
at::Tensor optional(const Call& call, size_t i) { return call.has(i) ? call.input(i).contiguous() : at::Tensor(); }

at::Tensor dense(const Call& call, size_t i) { return call.input(i).contiguous(); }

// One of the equal parts into which the inputs fall.
std::vector<at::Tensor> part(const Call& call, size_t which, size_t parts) {
  TORCH_CHECK(call.inputs.size() % parts == 0, call.inputs.size(), " tensors are not ", parts, " lists of one length");
  const size_t count = call.inputs.size() / parts;
  std::vector<at::Tensor> tensors;
  for (size_t i = which * count; i < (which + 1) * count; i++) {
    // What is changed in place must not be a copy.
    TORCH_CHECK(call.input(i).is_contiguous() && call.input(i).scalar_type() == at::kFloat, "tensor ", i,
                " is not dense float32");
    tensors.push_back(call.input(i));
  }
  return tensors;
}

void giveAll(Call& call, std::initializer_list<at::Tensor> outputs) {
  for (const at::Tensor& output : outputs)
    if (output.defined()) call.give(output);
}

AttentionSetting attentionSetting(Call& call, size_t which) {
  AttentionSetting setting;
  setting.heads = call.integer();
  setting.scaled = call.flag();
  const at::Tensor& qkv = call.input(which);
  TORCH_CHECK(qkv.dim() == 3 && qkv.size(2) % (3 * setting.heads) == 0, "queries, keys and values of ", setting.heads,
              " heads cannot have the shape ", qkv.sizes());
  return setting;
}

}  // namespace

void addFused(Operations& ops) {
  ops.add("PatchstreamGelu", [](Call& call) {
    const auto [y, slope] = geluWithSlope(dense(call, 0));
    giveAll(call, {y, slope});
  });
  // x, weight, bias? Attribute: gelu.
  ops.add("PatchstreamLinear", [](Call& call) {
    const auto [y, saved] = linear(dense(call, 0), dense(call, 1), optional(call, 2), call.flag());
    giveAll(call, {y, saved});
  });
  // dy, x, weight, saved? Attribute: bias.
  ops.add("PatchstreamLinearGrad", [](Call& call) {
    const auto [dx, dWeight, dBias] =
        linearGrad(dense(call, 0), dense(call, 1), dense(call, 2), optional(call, 3), call.flag());
    giveAll(call, {dx, dWeight, dBias});
  });
  // x, gain, bias. Attribute: eps.
  ops.add("PatchstreamLayerNorm", [](Call& call) {
    const int64_t D = call.input(0).size(-1);
    for (const size_t i : {1, 2})
      TORCH_CHECK(call.input(i).numel() == D, call.input(i).numel(), " gains or biases for rows of ", D);
    const auto [y, mean, rstd] = layerNorm(dense(call, 0), dense(call, 1), dense(call, 2), call.number());
    giveAll(call, {y, mean, rstd});
  });
  // dy, x, mean, rstd, gain.
  ops.add("PatchstreamLayerNormGrad", [](Call& call) {
    const auto [dx, dGain, dBias] =
        layerNormGrad(dense(call, 0), dense(call, 1), dense(call, 2), dense(call, 3), dense(call, 4));
    giveAll(call, {dx, dGain, dBias});
  });
  // qkv, table?, bucketIds? Attributes: heads, scaled.
  ops.add("PatchstreamAttention", [](Call& call) {
    const auto [y, shares] = attention(dense(call, 0), optional(call, 1), optional(call, 2), attentionSetting(call, 0));
    giveAll(call, {y, shares});
  });
  // dy, qkv, y, shares, table?, bucketIds? Attributes: heads, scaled.
  ops.add("PatchstreamAttentionGrad", [](Call& call) {
    const auto [dqkv, dTable] = attentionGrad(dense(call, 0), dense(call, 1), dense(call, 2), dense(call, 3),
                                              optional(call, 4), optional(call, 5), attentionSetting(call, 1));
    giveAll(call, {dqkv, dTable});
  });
  // x, ids.
  ops.add("PatchstreamGatherTokens", [](Call& call) { call.give(gatherTokens(dense(call, 0), dense(call, 1))); });
  // dy, ids. Attribute: n.
  ops.add("PatchstreamGatherTokensGrad", [](Call& call) {
    call.give(gatherTokensGrad(dense(call, 0), dense(call, 1), call.integer()));
  });
  // x, weight, bias?
  ops.add("PatchstreamConv3x3",
          [](Call& call) { call.give(conv3x3(dense(call, 0), dense(call, 1), optional(call, 2))); });
  // dy, x, weight. Attribute: bias.
  ops.add("PatchstreamConv3x3Grad", [](Call& call) {
    const auto [dx, dWeight, dBias] = conv3x3Grad(dense(call, 0), dense(call, 1), dense(call, 2), call.flag());
    giveAll(call, {dx, dWeight, dBias});
  });
  // sums…, tensors…
  ops.add("PatchstreamAccumulate", [](Call& call) { accumulate(part(call, 0, 2), part(call, 1, 2)); });
  // tensors…
  ops.add("PatchstreamNorms", [](Call& call) { call.give(sumsOfSquares(part(call, 0, 1))); });
  // tensors…
  ops.add("PatchstreamZero", [](Call& call) {
    for (at::Tensor& tensor : part(call, 0, 1)) tensor.zero_();
  });
  // parameters…, gradients…, firsts…, seconds… Attributes: lr, beta1, beta2, eps, scale, step, list of decays.
  ops.add("PatchstreamAdamW", [](Call& call) {
    AdamW at;
    for (double* value : {&at.lr, &at.beta1, &at.beta2, &at.eps, &at.scale}) *value = call.number();
    at.step = call.integer();
    at.decays.resize(call.integer());
    for (double& decay : at.decays) decay = call.number();
    adamw(part(call, 0, 4), part(call, 1, 4), part(call, 2, 4), part(call, 3, 4), at);
  });
}

}  // namespace patchstream
