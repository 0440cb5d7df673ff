#pragma once

#include <cstddef>

namespace patchstream {

// Planes of features, one after the other: `rows` × `columns` numbers each, rows without gaps.
struct Planes {
  const float* data = nullptr;
  long rows = 0;
  long columns = 0;

  const float* plane(size_t index) const { return data + static_cast<size_t>(rows * columns) * index; }
};

}  // namespace patchstream
