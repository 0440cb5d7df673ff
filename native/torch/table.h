#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <deque>
#include <vector>

namespace patchstream {

// A tensor as JavaScript names it: the low bits say the slot, the high bits how often that slot was used before, so that a handle kept
// past its tensor is noticed. Never negative: -1 stands for an absent input.
using Handle = int32_t;

// The tensors of one JavaScript environment. Each lies in one piece of memory; two share memory only by a reshape.
class Table {
 public:
  // Throws when a million tensors live at once, which no program means.
  Handle put(const at::Tensor& tensor);

  // Throws when the handle's tensor was freed.
  const at::Tensor& get(Handle handle) const;

  // Whether the tensor is still there.
  bool holds(Handle handle) const;

  // Frees the tensor; its memory goes when no reshape of it is left.
  void remove(Handle handle);

  // Changes the tensor behind a handle: for replay, whose inputs change and whose handles stay.
  void replace(Handle handle, const at::Tensor& tensor);

  int64_t count() const { return count_; }

  // Bytes of all memory held, each piece counted once. Takes time in proportion to the tensors.
  int64_t bytes() const;

 private:
  struct Slot {
    at::Tensor tensor;
    int32_t generation = 0;
  };

  std::vector<Slot> slots_;
  std::deque<int32_t> free_;
  int64_t count_ = 0;
};

}  // namespace patchstream
