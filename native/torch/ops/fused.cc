#include <array>

#include "fused/fused.h"
#include "ops/ops.h"
#include "optimizers/optimizers.h"

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

Precision precisionOf(Call& call) {
  const int64_t number = call.integer();
  TORCH_CHECK(number == 0 || number == 1, "no precision ", number);
  return static_cast<Precision>(number);
}

AttentionSetting attentionSetting(Call& call, size_t which) {
  AttentionSetting setting;
  setting.heads = call.integer();
  setting.scaled = call.flag();
  setting.precision = precisionOf(call);
  const at::Tensor& qkv = call.input(which);
  TORCH_CHECK(setting.heads > 0 && qkv.dim() == 3 && qkv.size(2) % (3 * setting.heads) == 0, "queries, keys and values of ", setting.heads,
              " heads cannot have the shape ", qkv.sizes());
  return setting;
}

// The kernels below read and write plain memory: what they are given must have the sizes that they take for granted.
void same(const at::Tensor& found, at::IntArrayRef wanted, const char* what) {
  TORCH_CHECK(found.sizes() == wanted, what, " must have the shape ", wanted, "; got ", found.sizes());
}

void many(const at::Tensor& found, int64_t wanted, const char* what) {
  TORCH_CHECK(found.numel() == wanted, what, " must be ", wanted, " numbers; got ", found.numel());
}

// x [R, in] and weight [in, out].
void checkProduct(const at::Tensor& x, const at::Tensor& weight) {
  TORCH_CHECK(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(0), "x ", x.sizes(), " and weight ",
              weight.sizes(), " have no product");
}

// x [N, H, W, C] and weight [3, 3, C, F].
void checkConv3x3(const at::Tensor& x, const at::Tensor& weight) {
  TORCH_CHECK(x.dim() == 4 && weight.dim() == 4, "x ", x.sizes(), " and weight ", weight.sizes(), " have no convolution");
  same(weight, {3, 3, x.size(3), weight.size(3)}, "the weight");
}

// The table [d, buckets] and the ids [T, T], or [B, T, T], of a relative term, given together or not at all.
void checkRelative(const Call& call, size_t table, size_t ids, const at::Tensor& qkv, int64_t heads) {
  TORCH_CHECK(call.has(table) == call.has(ids), "a table of relative positions needs ids, and ids a table");
  if (!call.has(table)) return;
  TORCH_CHECK(call.input(table).dim() == 2 && call.input(table).size(0) == qkv.size(2) / (3 * heads),
              "a table for heads of ", qkv.size(2) / (3 * heads), " cannot have the shape ", call.input(table).sizes());
  const int64_t B = qkv.size(0), T = qkv.size(1);
  if (call.input(ids).dim() == 3) same(call.input(ids), {B, T, T}, "ids of relative positions");
  else same(call.input(ids), {T, T}, "ids of relative positions");
}

// x [R, D].
void checkRows(const at::Tensor& x) { TORCH_CHECK(x.dim() == 2, "rows to be normalised cannot have the shape ", x.sizes()); }

// x or dy [N, …, D] and ids [N, k].
void checkTokens(const at::Tensor& x, const at::Tensor& ids) {
  TORCH_CHECK(x.dim() == 3 && ids.dim() == 2 && x.size(0) == ids.size(0) && ids.scalar_type() == at::kInt, "tokens ",
              x.sizes(), " cannot be picked by ids ", ids.sizes());
}

// Lists of tensors that are worked on in pairs.
void checkPairs(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  for (size_t i = 0; i < a.size(); i++)
    TORCH_CHECK(a[i].numel() == b[i].numel(), "tensor ", i, " has ", a[i].numel(), " numbers in one list and ",
                b[i].numel(), " in another");
}

// All inputs as lists of one length, whose tensors have the shapes of those of the first.
template <size_t N>
std::array<std::vector<at::Tensor>, N> equalParts(const Call& call) {
  std::array<std::vector<at::Tensor>, N> parts;
  for (size_t i = 0; i < N; i++) {
    parts[i] = part(call, i, N);
    if (i > 0) checkPairs(parts[0], parts[i]);
  }
  return parts;
}

// A list of attributes, one for each parameter.
std::vector<double> onePer(const std::vector<at::Tensor>& parameters, Call& call, const char* what) {
  const int64_t count = call.integer();
  TORCH_CHECK(count == static_cast<int64_t>(parameters.size()), count, " ", what, " for ", parameters.size(), " parameters");
  std::vector<double> values(count);
  for (double& value : values) value = call.number();
  return values;
}

}  // namespace

void addFused(Operations& ops) {
  ops.add("PatchstreamGelu", [](Call& call) {
    const auto [y, slope] = geluWithSlope(dense(call, 0));
    giveAll(call, {y, slope});
  });
  // x, weight, bias? Attributes: gelu, precision.
  ops.add("PatchstreamLinear", [](Call& call) {
    checkProduct(call.input(0), call.input(1));
    if (call.has(2)) many(call.input(2), call.input(1).size(1), "the bias");
    const bool gelu = call.flag();
    const auto [y, saved, x] = linear(dense(call, 0), dense(call, 1), optional(call, 2), gelu, precisionOf(call), call.narrow);
    giveAll(call, {y, saved, x});
  });
  // dy, x, weight, saved? Attributes: bias, precision.
  ops.add("PatchstreamLinearGrad", [](Call& call) {
    checkProduct(call.input(1), call.input(2));
    const std::array<int64_t, 2> shape{call.input(1).size(0), call.input(2).size(1)};
    same(call.input(0), shape, "dy");
    if (call.has(3)) same(call.input(3), shape, "saved");
    const bool bias = call.flag();
    const auto [dx, dWeight, dBias] =
        linearGrad(dense(call, 0), dense(call, 1), dense(call, 2), optional(call, 3), bias, precisionOf(call), call.narrow);
    giveAll(call, {dx, dWeight, dBias});
  });
  // x, gain, bias. Attribute: eps.
  ops.add("PatchstreamLayerNorm", [](Call& call) {
    checkRows(call.input(0));
    const int64_t D = call.input(0).size(-1);
    for (const size_t i : {1, 2})
      TORCH_CHECK(call.input(i).numel() == D, call.input(i).numel(), " gains or biases for rows of ", D);
    const auto [y, mean, rstd] = layerNorm(dense(call, 0), dense(call, 1), dense(call, 2), call.number(), call.narrow);
    giveAll(call, {y, mean, rstd});
  });
  // dy, x, mean, rstd, gain.
  ops.add("PatchstreamLayerNormGrad", [](Call& call) {
    checkRows(call.input(1));
    const int64_t D = call.input(1).size(-1);
    same(call.input(0), call.input(1).sizes(), "dy");
    for (const size_t i : {2, 3}) many(call.input(i), D == 0 ? 0 : call.input(1).numel() / D, "mean or rstd");
    many(call.input(4), D, "the gain");
    const auto [dx, dGain, dBias] =
        layerNormGrad(dense(call, 0), dense(call, 1), dense(call, 2), dense(call, 3), dense(call, 4));
    giveAll(call, {dx, dGain, dBias});
  });
  // qkv, table?, bucketIds? Attributes: heads, scaled, precision.
  ops.add("PatchstreamAttention", [](Call& call) {
    const AttentionSetting setting = attentionSetting(call, 0);
    checkRelative(call, 1, 2, call.input(0), setting.heads);
    const auto [y, shares] = attention(dense(call, 0), optional(call, 1), optional(call, 2), setting, call.narrow);
    giveAll(call, {y, shares});
  });
  // dy, qkv, y, shares, table?, bucketIds? Attributes: heads, scaled, precision.
  ops.add("PatchstreamAttentionGrad", [](Call& call) {
    const AttentionSetting setting = attentionSetting(call, 1);
    const at::Tensor& qkv = call.input(1);
    checkRelative(call, 4, 5, qkv, setting.heads);
    const std::array<int64_t, 3> mixed{qkv.size(0), qkv.size(1), qkv.size(2) / 3};
    for (const size_t i : {0, 2}) same(call.input(i), mixed, "dy or y");
    const bool sums = call.input(3).dim() == 3 && qkv.is_cuda();
    many(call.input(3), qkv.size(0) * setting.heads * qkv.size(1) * (sums ? 1 : qkv.size(1)), "the shares");
    const auto [dqkv, dTable] = attentionGrad(dense(call, 0), dense(call, 1), dense(call, 2), dense(call, 3),
                                              optional(call, 4), optional(call, 5), setting, call.narrow);
    giveAll(call, {dqkv, dTable});
  });
  // x, ids.
  ops.add("PatchstreamGatherTokens", [](Call& call) {
    checkTokens(call.input(0), call.input(1));
    call.give(gatherTokens(dense(call, 0), dense(call, 1)));
  });
  // dy, ids. Attribute: n.
  ops.add("PatchstreamGatherTokensGrad", [](Call& call) {
    checkTokens(call.input(0), call.input(1));
    TORCH_CHECK(call.input(0).size(1) == call.input(1).size(1), "dy ", call.input(0).sizes(), " for ids ", call.input(1).sizes());
    call.give(gatherTokensGrad(dense(call, 0), dense(call, 1), call.integer()));
  });
  // x, weight, bias? Attribute: precision.
  ops.add("PatchstreamConv3x3", [](Call& call) {
    checkConv3x3(call.input(0), call.input(1));
    if (call.has(2)) many(call.input(2), call.input(1).size(3), "the bias");
    call.give(conv3x3(dense(call, 0), dense(call, 1), optional(call, 2), precisionOf(call)));
  });
  // dy, x, weight. Attributes: bias, precision.
  ops.add("PatchstreamConv3x3Grad", [](Call& call) {
    const at::Tensor& x = call.input(1);
    checkConv3x3(x, call.input(2));
    same(call.input(0), {x.size(0), x.size(1), x.size(2), call.input(2).size(3)}, "dy");
    const bool bias = call.flag();
    const auto [dx, dWeight, dBias] = conv3x3Grad(dense(call, 0), dense(call, 1), dense(call, 2), bias, precisionOf(call));
    giveAll(call, {dx, dWeight, dBias});
  });
  // sums…, tensors…
  ops.add("PatchstreamAccumulate", [](Call& call) {
    const auto sums = part(call, 0, 2), tensors = part(call, 1, 2);
    checkPairs(sums, tensors);
    accumulate(sums, tensors);
  });
  // tensors…
  ops.add("PatchstreamNorms", [](Call& call) { call.give(sumsOfSquares(part(call, 0, 1))); });
  // tensors…
  ops.add("PatchstreamZero", [](Call& call) {
    for (at::Tensor& tensor : part(call, 0, 1)) tensor.zero_();
  });
  // averages…, values… Attribute: weight.
  ops.add("PatchstreamAverage", [](Call& call) {
    const auto averages = part(call, 0, 2), values = part(call, 1, 2);
    checkPairs(averages, values);
    average(averages, values, call.number());
  });
  // parameters…, gradients…, firsts…, seconds… Attributes: lr, beta1, beta2, eps, scale, step, list of decays.
  ops.add("PatchstreamAdamW", [](Call& call) {
    const auto [parameters, gradients, firsts, seconds] = equalParts<4>(call);
    AdamW how;
    for (double* value : {&how.lr, &how.beta1, &how.beta2, &how.eps, &how.scale}) *value = call.number();
    how.step = call.integer();
    how.decays = onePer(parameters, call, "weight decays");
    adamw(parameters, gradients, firsts, seconds, how);
  });
  // parameters…, gradients…, moments… Attributes: lr, momentum, trust, eps, scale, lists of decays and of what adapts.
  ops.add("PatchstreamLars", [](Call& call) {
    const auto [parameters, gradients, moments] = equalParts<3>(call);
    Lars how;
    for (double* value : {&how.lr, &how.momentum, &how.trust, &how.eps, &how.scale}) *value = call.number();
    how.decays = onePer(parameters, call, "weight decays");
    how.adapts = onePer(parameters, call, "marks");
    lars(parameters, gradients, moments, how);
  });
  // parameters…, gradients…, firsts…, seconds… Attributes: lr, beta1, beta2, eps, scale, step, trustClip, lists of decays and of what adapts.
  ops.add("PatchstreamLamb", [](Call& call) {
    const auto [parameters, gradients, firsts, seconds] = equalParts<4>(call);
    Lamb how;
    for (double* value : {&how.lr, &how.beta1, &how.beta2, &how.eps, &how.scale}) *value = call.number();
    how.step = call.integer();
    how.trustClip = call.flag();
    how.decays = onePer(parameters, call, "weight decays");
    how.adapts = onePer(parameters, call, "marks");
    lamb(parameters, gradients, firsts, seconds, how);
  });
  // parameters…, gradients…, moments… Attributes: lr, beta1, beta2, scale, list of decays.
  ops.add("PatchstreamLion", [](Call& call) {
    const auto [parameters, gradients, moments] = equalParts<3>(call);
    Lion how;
    for (double* value : {&how.lr, &how.beta1, &how.beta2, &how.scale}) *value = call.number();
    how.decays = onePer(parameters, call, "weight decays");
    lion(parameters, gradients, moments, how);
  });
}

}  // namespace patchstream
