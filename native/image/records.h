#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "render.h"

namespace patchstream {

// Many raw pictures of one size, one after another in memory, rendered alike: digits, icons. Each takes so little time that handing it to another
// thread, and back, would take longer.
struct Records {
  const uint8_t* data = nullptr;
  size_t length = 0;
  // Which records, in which order.
  const int32_t* indices = nullptr;
  size_t count = 0;
  // Where the renderings go, one behind the other.
  uint8_t* out = nullptr;
  size_t outLength = 0;
};

// Does the steps of `job`, which says what a record is, for every index, in the calling thread, and ends with the first that is not `done`. Nothing, and
// nothing is written, when the numbers do not fit together: a kind that is not raw, more than one output, an index beyond the data, too little room.
std::optional<Outcome> renderAlike(Renderer& renderer, Job& job, const Records& records);

}  // namespace patchstream
