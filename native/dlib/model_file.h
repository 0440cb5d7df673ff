#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace patchstream {

// What is wrong with a file of a model, in words that follow "it".
class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads numbers as dlib writes them, one after another: an integer is a byte that says its sign and how many bytes follow, the lowest first; a float is two
// integers, a mantissa and a power of two. Nothing that the file says of itself is believed: no count is answered for which the rest of the file is too short.
// Throws ModelError.
class ModelFile {
 public:
  explicit ModelFile(const std::string& path);
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;
  ~ModelFile();

  int64_t integer();
  // One that is finite, and no farther from 0 than `most`.
  float number(float most);
  // How many things follow, of `bytesEach` at least.
  size_t count(size_t bytesEach);
  // The rows of a column of floats, which follow.
  size_t column();
  // Throws unless all of it was read.
  void end() const;

 private:
  uint8_t byte();
  bool fill();

  int descriptor_;
  // Of the file, not yet in the buffer.
  uint64_t left_ = 0;
  std::vector<uint8_t> buffer_;
  size_t at_ = 0;
  size_t filled_ = 0;
};

}  // namespace patchstream
