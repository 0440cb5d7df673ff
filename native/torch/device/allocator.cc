#include "device/allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace patchstream {

namespace {

constexpr size_t alignment = 64;
constexpr size_t page = 4096;
constexpr size_t hugePage = size_t{2} << 20;
// Smaller pieces are malloc's own trade.
constexpr size_t leastKept = size_t{64} << 10;

// To an address sanitizer: of these bytes, those from `bytes` on are nobody's. Pieces have more than was asked for, and stay when they are given back.
#ifdef __SANITIZE_ADDRESS__
void lend(void* memory, size_t bytes, size_t size) {
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(memory) + bytes, size - bytes);
}
#else
void lend(void*, size_t, size_t) {}
#endif

class Pool {
 public:
  void* take(size_t bytes) {
    if (bytes < leastKept) return fresh(bytes);
    const size_t size = (bytes + page - 1) / page * page;
    void* const memory = piece(size);
    if (memory != nullptr) lend(memory, bytes, size);
    return memory;
  }

  void give(void* memory) {
    if (memory == nullptr) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto known = sizes_.find(memory);
      if (known != sizes_.end()) {
        const size_t size = known->second;
        sizes_.erase(known);
        used_ -= size;
        keep(memory, size);
        memory = nullptr;
        if (used_ > 0) return;
        highest_ = 0;
      }
    }
    // Nothing is in use any more: all of it goes back to the system.
    if (memory == nullptr) drop(0);
    std::free(memory);
  }

  void dropIdle() { drop(0); }

  void bound(size_t most) {
    const std::lock_guard<std::mutex> lock(mutex_);
    most_ = most;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<void*, size_t> sizes_;
  std::map<size_t, std::vector<void*>> idle_;
  size_t used_ = 0;
  size_t highest_ = 0;
  size_t idleBytes_ = 0;
  size_t most_ = SIZE_MAX;

  // One that lies idle, or a new one.
  void* piece(size_t size) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto found = idle_.find(size);
      if (found != idle_.end()) {
        void* const memory = found->second.back();
        found->second.pop_back();
        if (found->second.empty()) idle_.erase(found);
        idleBytes_ -= size;
        use(memory, size);
        return memory;
      }
    }
    void* memory = fits(size) ? fresh(size) : nullptr;
    if (memory == nullptr) {
      drop(0);
      memory = fits(size) ? fresh(size) : nullptr;
    }
    if (memory == nullptr) return nullptr;
    try {
      const std::lock_guard<std::mutex> lock(mutex_);
      use(memory, size);
    } catch (const std::bad_alloc&) {
      release(memory, size);
      return nullptr;
    }
    drop(limit());
    return memory;
  }

  // Whether a new piece of that size keeps within the bound.
  bool fits(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return used_ + idleBytes_ <= most_ && size <= most_ - used_ - idleBytes_;
  }

  static void* fresh(size_t bytes) {
#ifdef __linux__
    // Not from malloc, which keeps large pieces that were freed for itself: what is dropped here must be the system's again.
    if (bytes >= hugePage) return mapped(bytes);
#endif
    void* memory = nullptr;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
  }

  static void release(void* memory, size_t bytes) {
    lend(memory, bytes, bytes);
#ifdef __linux__
    if (bytes >= hugePage) {
      munmap(memory, bytes);
      return;
    }
#endif
    std::free(memory);
  }

#ifdef __linux__
  // Begins at a huge page, so that the system may use such.
  static void* mapped(size_t bytes) {
    const size_t room = bytes + hugePage;
    void* const from = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (from == MAP_FAILED) return nullptr;
    const auto begin = reinterpret_cast<uintptr_t>(from);
    const uintptr_t aligned = (begin + hugePage - 1) / hugePage * hugePage;
    if (aligned > begin) munmap(from, aligned - begin);
    const uintptr_t end = aligned + bytes;
    if (begin + room > end) munmap(reinterpret_cast<void*>(end), begin + room - end);
    void* const memory = reinterpret_cast<void*>(aligned);
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
  }
#endif

  void use(void* memory, size_t size) {
    sizes_.emplace(memory, size);
    used_ += size;
    highest_ = std::max(highest_, used_);
  }

  // Bytes that may lie idle beside what is in use.
  size_t limit() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return highest_ - used_;
  }

  // For later. Where there is not even memory to write that down, it goes back at once: this is called by destructors, which must not throw.
  void keep(void* memory, size_t size) noexcept {
    try {
      idle_[size].push_back(memory);
      idleBytes_ += size;
      lend(memory, 0, size);
    } catch (const std::bad_alloc&) {
      const auto place = idle_.find(size);
      if (place != idle_.end() && place->second.empty()) idle_.erase(place);
      release(memory, size);
    }
  }

  // Frees idle memory, the largest first, until at most `most` bytes of it are left.
  void drop(size_t most) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (idleBytes_ > most) {
      const auto largest = std::prev(idle_.end());
      release(largest->second.back(), largest->first);
      largest->second.pop_back();
      idleBytes_ -= largest->first;
      if (largest->second.empty()) idle_.erase(largest);
    }
  }
};

// Never destroyed: tensors of other threads may outlive every destructor of this library.
Pool& pool() {
  static Pool& only = *new Pool;
  return only;
}

void give(void* memory) { pool().give(memory); }

// The functions are not marked `override`: which of them libtorch declares, and whether `allocate` is const, changed over 2.x.
class PoolAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) const { return have(bytes); }
  c10::DataPtr allocate(size_t bytes) { return have(bytes); }
  c10::DeleterFnPtr raw_deleter() const { return &give; }
  void copy_data(void* to, const void* from, size_t bytes) const { std::copy_n(static_cast<const char*>(from), bytes, static_cast<char*>(to)); }

 private:
  static c10::DataPtr have(size_t bytes) {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &give, cpu};
    void* const memory = pool().take(bytes);
    TORCH_CHECK(memory != nullptr, "can't allocate memory: you tried to allocate ", bytes, " bytes");
    return {memory, memory, &give, cpu};
  }
};

}  // namespace

void installAllocator() {
  static const bool installed = [] {
    c10::SetCPUAllocator(new PoolAllocator);
    return true;
  }();
  (void)installed;
}

void dropIdleMemory() { pool().dropIdle(); }

void boundMemory(size_t bytes) { pool().bound(bytes); }

}  // namespace patchstream
