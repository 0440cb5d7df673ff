#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace patchstream {

// A file while it is made: memory that grows and keeps what is in it.
class Bytes {
 public:
  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { std::free(data_); }

  uint8_t* data() { return data_; }
  size_t capacity() const { return capacity_; }
  // How many bytes of it are the file.
  size_t size = 0;

  // Room for `bytes` in all. False where there is no memory: then it is as it was. Throws nothing, since it is called from C.
  bool grow(size_t bytes) {
    if (bytes <= capacity_) return true;
    auto* grown = static_cast<uint8_t*>(std::realloc(data_, bytes));
    if (grown == nullptr) return false;
    data_ = grown;
    capacity_ = bytes;
    return true;
  }

  // Gives the memory back.
  void clear() {
    std::free(data_);
    data_ = nullptr;
    capacity_ = 0;
    size = 0;
  }

 private:
  uint8_t* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace patchstream
