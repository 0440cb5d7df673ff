#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "detector/planes.h"

namespace patchstream {

// A window of features times a filter, for every place of the window: a sum over the planes of filters that are a row times a column, which is how dlib
// keeps them.
class FilterBank {
 public:
  // The side of the window.
  static constexpr long side = 10;
  using Taps = std::array<float, side>;

  // What a thread needs to work in: the last rows of a plane, filtered across.
  using Scratch = std::vector<float>;

  void add(size_t plane, const Taps& across, const Taps& down) { filters_.push_back({plane, across, down}); }

  // The scores of all places where the window lies within the planes, (rows − 9) × (columns − 9) of them, none if there is no such place.
  // Sums are made in the order of dlib's, so that they are the same numbers.
  void apply(const Planes& features, Scratch& scratch, std::vector<float>& scores) const;

 private:
  struct Filter {
    size_t plane;
    Taps across;
    Taps down;
  };

  std::vector<Filter> filters_;
};

}  // namespace patchstream
