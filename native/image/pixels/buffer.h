#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace patchstream {

// Memory that grows and is used again: what a thread needs for one picture is there for the next.
class Buffer {
 public:
  // Vectors are loaded whole, so that a load at the end of the data reads this much beyond it.
  static constexpr size_t margin = 64;

  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  // At least `bytes`; what was in it is lost when it must grow.
  uint8_t* need(size_t bytes) {
    if (bytes > size_) {
      trim(0);
      // Zeroed, since what lies beyond the data is read (and weighs nothing).
      data_ = static_cast<uint8_t*>(std::calloc(bytes + margin, 1));
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = bytes;
    }
    return data_;
  }

  const uint8_t* data() const { return data_; }
  uint8_t* data() { return data_; }

  // Gives the memory back when it is more than `most` bytes: one giant must not stay in memory for the rest of the run.
  void trim(size_t most) {
    if (size_ <= most) return;
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace patchstream
