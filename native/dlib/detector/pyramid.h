#pragma once

#include <cstdint>
#include <vector>

#include "detector/grey.h"

namespace patchstream {

// Makes the next level of dlib's pyramid, which is 5/6 as large, with the very pixels that dlib would make.
class Shrinker {
 public:
  // `pixels` is where the level that is answered lies.
  Grey shrink(const Grey& picture, std::vector<uint8_t>& pixels);

 private:
  // Of a row of the picture: for each column of the level, its two pixels, as they lie in memory.
  struct Row {
    int32_t number = -1;
    std::vector<uint16_t> pairs;
  };

  void place(int32_t width, int32_t into);
  const uint16_t* row(const Grey& picture, int32_t number, const Row& kept, Row& fresh);

  std::vector<int32_t> lefts_;
  std::vector<float> fractions_;
  // The first columns, of which both pixels lie inside of the picture.
  int32_t inner_ = 0;
  Row top_;
  Row bottom_;
};

}  // namespace patchstream
