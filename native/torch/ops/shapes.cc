#include "ops/ops.h"

namespace patchstream {

namespace {

// Where an index outside [0, size) points when the picture continues as its mirror image, with the border repeated or not.
int64_t mirrored(int64_t index, int64_t size, bool repeatBorder) {
  if (index < 0) return repeatBorder ? -index - 1 : -index;
  if (index >= size) return repeatBorder ? 2 * size - index - 1 : 2 * size - index - 2;
  return index;
}

at::Tensor indices(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::TensorOptions(at::kLong)).to(device);
}

}  // namespace

void addShapes(Operations& ops) {
  // Attribute: shape. Shares the memory of its input.
  ops.add("Reshape", [](Call& call) { call.give(call.input(0).view(call.list())); });
  ops.add("Copy", [](Call& call) { call.give(call.input(0).clone()); });
  // Attribute: perm. An own piece of memory even where nothing moves.
  ops.add("Transpose", [](Call& call) {
    call.give(call.input(0).permute(call.list()).clone(at::MemoryFormat::Contiguous));
  });
  // Attribute: axis.
  ops.add("Concat", [](Call& call) { call.give(at::cat(call.inputs, call.integer())); });
  ops.add("Pack", [](Call& call) { call.give(at::stack(call.inputs, call.integer())); });
  // Attributes: axis, sizes.
  ops.add("SplitV", [](Call& call) {
    const int64_t axis = call.integer();
    int64_t from = 0;
    for (const int64_t size : call.list()) {
      call.give(call.input(0).narrow(axis, from, size).clone(at::MemoryFormat::Contiguous));
      from += size;
    }
  });
  // Attribute: axis.
  ops.add("Unpack", [](Call& call) {
    const int64_t axis = call.integer();
    for (int64_t i = 0; i < call.input(0).size(axis); i++) {
      call.give(call.input(0).select(axis, i).clone(at::MemoryFormat::Contiguous));
    }
  });
  // Attributes: begin, size. A copy, so that a small part does not hold a large whole in memory.
  ops.add("Slice", [](Call& call) {
    at::Tensor y = call.input(0);
    const std::vector<int64_t> begin = call.list();
    const std::vector<int64_t> size = call.list();
    for (size_t axis = 0; axis < begin.size(); axis++) y = y.narrow(axis, begin[axis], size[axis]);
    call.give(y.clone(at::MemoryFormat::Contiguous));
  });
  // Attributes: begin, strides (perhaps negative), sizes of the result.
  ops.add("StridedSlice", [](Call& call) {
    at::Tensor y = call.input(0);
    const std::vector<int64_t> begin = call.list();
    const std::vector<int64_t> strides = call.list();
    const std::vector<int64_t> sizes = call.list();
    for (size_t axis = 0; axis < begin.size(); axis++) {
      std::vector<int64_t> picked(sizes[axis]);
      for (int64_t i = 0; i < sizes[axis]; i++) picked[i] = begin[axis] + i * strides[axis];
      y = y.index_select(axis, indices(picked, y.device()));
    }
    call.give(y);
  });
  // Attributes: value, then before and after of each axis in turn.
  ops.add("PadV2", [](Call& call) {
    const double value = call.number();
    const std::vector<int64_t> given = call.list();
    // ATen begins at the last axis.
    std::vector<int64_t> pads;
    for (size_t i = given.size(); i >= 2; i -= 2) pads.insert(pads.end(), {given[i - 2], given[i - 1]});
    call.give(at::constant_pad_nd(call.input(0), pads, value));
  });
  // Attributes: whether the border is repeated, then before and after of each axis in turn.
  ops.add("MirrorPad", [](Call& call) {
    const bool repeatBorder = call.flag();
    const std::vector<int64_t> pads = call.list();
    at::Tensor y = call.input(0);
    for (int64_t axis = 0; axis < y.dim(); axis++) {
      const int64_t size = y.size(axis);
      std::vector<int64_t> picked;
      for (int64_t i = -pads[2 * axis]; i < size + pads[2 * axis + 1]; i++) {
        picked.push_back(mirrored(i, size, repeatBorder));
      }
      y = y.index_select(axis, indices(picked, y.device()));
    }
    call.give(y);
  });
  // Attribute: how often along each axis.
  ops.add("Tile", [](Call& call) { call.give(call.input(0).repeat(call.list())); });
  // Attribute: shape.
  ops.add("BroadcastTo", [](Call& call) {
    call.give(call.input(0).expand(call.list()).clone(at::MemoryFormat::Contiguous));
  });
  // Attribute: axes.
  ops.add("Reverse", [](Call& call) { call.give(call.input(0).flip(call.list())); });
}

}  // namespace patchstream
