#include "model_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace patchstream {

namespace {

constexpr size_t bufferBytes = size_t{1} << 20;

// Five times the model of 68 landmarks. What is made of a file takes no more memory than the file.
constexpr int64_t mostBytes = int64_t{1} << 29;

// An integer takes two bytes at least, and a float two integers.
constexpr size_t floatBytes = 4;

}  // namespace

// Without waiting for a writer, where the path names a pipe: that is then seen not to be a file.
ModelFile::ModelFile(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {
  if (descriptor_ < 0) throw ModelError(std::string("cannot be opened: ") + std::strerror(errno));
  try {
    struct stat about {};
    if (fstat(descriptor_, &about) != 0 || !S_ISREG(about.st_mode)) throw ModelError("is no file");
    if (about.st_size > mostBytes) throw ModelError("has more than 512 MiB");
    left_ = static_cast<uint64_t>(about.st_size);
    buffer_.resize(bufferBytes);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

ModelFile::~ModelFile() { close(descriptor_); }

bool ModelFile::fill() {
  if (left_ == 0) return false;
  ssize_t got = 0;
  do {
    got = read(descriptor_, buffer_.data(), static_cast<size_t>(std::min<uint64_t>(left_, buffer_.size())));
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw ModelError(std::string("cannot be read: ") + std::strerror(errno));
  at_ = 0;
  filled_ = static_cast<size_t>(got);
  // One that has become shorter meanwhile has nothing more.
  left_ = got == 0 ? 0 : left_ - static_cast<uint64_t>(got);
  return got > 0;
}

uint8_t ModelFile::byte() {
  if (at_ == filled_ && !fill()) throw ModelError("ends too early");
  return buffer_[at_++];
}

int64_t ModelFile::integer() {
  const uint8_t head = byte();
  const int bytes = head & 15;
  if ((head & 0x70) != 0 || bytes < 1 || bytes > 8) throw ModelError("holds what is no number");
  uint64_t size = 0;
  for (int i = 0; i < bytes; i++) size |= uint64_t{byte()} << (8 * i);
  if (size > INT64_MAX) throw ModelError("holds a number that is too large");
  return (head & 0x80) != 0 ? -static_cast<int64_t>(size) : static_cast<int64_t>(size);
}

float ModelFile::number(float most) {
  const int64_t mantissa = integer();
  const int64_t exponent = integer();
  // Beyond these are dlib's infinities and what is no number.
  const float value = exponent > -32000 && exponent < 32000 ? std::ldexp(static_cast<float>(mantissa), static_cast<int>(exponent)) : INFINITY;
  if (!(std::abs(value) <= most)) throw ModelError("holds a number that is too large");
  return value;
}

size_t ModelFile::count(size_t bytesEach) {
  const int64_t value = integer();
  const uint64_t rest = left_ + (filled_ - at_);
  if (value < 0 || static_cast<uint64_t>(value) > rest / bytesEach) throw ModelError("announces more than it holds");
  return static_cast<size_t>(value);
}

size_t ModelFile::column() {
  // dlib marks its later format by sides below zero.
  const int64_t rows = integer();
  const int64_t columns = integer();
  const uint64_t rest = left_ + (filled_ - at_);
  if (columns != -1 || rows >= 0 || rows == INT64_MIN || static_cast<uint64_t>(-rows) > rest / floatBytes) {
    throw ModelError("announces more than it holds");
  }
  return static_cast<size_t>(-rows);
}

void ModelFile::end() const {
  if (left_ > 0 || at_ < filled_) throw ModelError("goes on after its end");
}

}  // namespace patchstream
