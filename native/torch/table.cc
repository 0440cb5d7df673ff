#include "table.h"

#include <unordered_set>

namespace patchstream {

namespace {

constexpr int slotBits = 20;
constexpr int32_t mostSlots = 1 << slotBits;
constexpr int32_t generations = 1 << (31 - slotBits);
// A slot rests while this many others are free, so that a generation comes again only after millions of tensors.
constexpr size_t rest = 4096;

int32_t slotOf(Handle handle) { return handle & (mostSlots - 1); }
int32_t generationOf(Handle handle) { return handle >> slotBits; }

}  // namespace

Handle Table::put(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.defined(), "an operation gave no tensor");
  int32_t slot;
  if (free_.size() > rest || static_cast<int32_t>(slots_.size()) == mostSlots) {
    TORCH_CHECK(!free_.empty(), "more than ", mostSlots, " tensors: free some");
    slot = free_.front();
    free_.pop_front();
  } else {
    slot = static_cast<int32_t>(slots_.size());
    slots_.emplace_back();
  }
  slots_[slot].tensor = tensor.contiguous();
  count_++;
  return (slots_[slot].generation << slotBits) | slot;
}

bool Table::holds(Handle handle) const {
  if (handle < 0 || slotOf(handle) >= static_cast<int32_t>(slots_.size())) return false;
  const Slot& slot = slots_[slotOf(handle)];
  return slot.generation == generationOf(handle) && slot.tensor.defined();
}

const at::Tensor& Table::get(Handle handle) const {
  TORCH_CHECK(holds(handle), "tensor ", handle, " was freed, or never was");
  return slots_[slotOf(handle)].tensor;
}

void Table::remove(Handle handle) {
  TORCH_CHECK(holds(handle), "tensor ", handle, " was freed before, or never was");
  Slot& slot = slots_[slotOf(handle)];
  slot.tensor = at::Tensor();
  slot.generation = (slot.generation + 1) % generations;
  free_.push_back(slotOf(handle));
  count_--;
}

void Table::replace(Handle handle, const at::Tensor& tensor) {
  TORCH_CHECK(holds(handle), "tensor ", handle, " was freed, or never was");
  slots_[slotOf(handle)].tensor = tensor.contiguous();
}

int64_t Table::bytes() const {
  std::unordered_set<const void*> seen;
  int64_t total = 0;
  for (const Slot& slot : slots_) {
    if (!slot.tensor.defined()) continue;
    const auto& storage = slot.tensor.storage();
    if (seen.insert(storage.unsafeGetStorageImpl()).second) total += static_cast<int64_t>(storage.nbytes());
  }
  return total;
}

}  // namespace patchstream
