#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace patchstream {

enum class Kernel : int32_t { bilinear = 0, bicubic = 1 };

// How one side of a picture is brought to another length. Lengths and places of the source are in its pixels, where pixel i covers [i, i + 1).
struct Axis {
  // The part that is resized; may begin and end inside a pixel, when the pixels are those of a picture that was decoded smaller.
  double from = 0;
  double to = 0;
  // Pixels of the whole source.
  int32_t size = 0;
  // What the part is resized to, and the part of that which is wanted.
  int32_t resized = 0;
  int32_t first = 0;
  int32_t count = 0;
  // Output i is taken for first + count - 1 - i.
  bool mirrored = false;
  // The source runs the other way: output i of `resized` is its output resized - 1 - i.
  bool reversed = false;
  Kernel kernel = Kernel::bicubic;

  bool operator==(const Axis& o) const {
    return from == o.from && to == o.to && size == o.size && resized == o.resized && first == o.first && count == o.count &&
           mirrored == o.mirrored && reversed == o.reversed && kernel == o.kernel;
  }
};

// The weights of an axis: output i is the sum over k of weights[i * width + k] * source[firsts[i] + k], divided by 2^shift. Weights are int16 and
// add up to 2^shift exactly, so that one colour stays that colour, whatever order the sums are taken in.
class Taps {
 public:
  // Does nothing when the axis is the one of the call before: small pictures are all alike.
  void make(const Axis& axis);

  int32_t count() const { return axis_.count; }
  int32_t shift() const { return shift_; }
  int32_t first(int32_t i) const { return firsts_[i]; }
  int32_t taps(int32_t i) const { return taps_[i]; }
  // Zero from `taps(i)` to the width.
  const int16_t* weights(int32_t i) const { return weights_.data() + static_cast<size_t>(i) * width_; }
  // Four outputs at a time, as a vector of RGB wants them: where in a row their pixels begin, in bytes, and how many of the weights of `spread` are theirs.
  struct Four {
    int32_t offsets[4];
    int32_t length;
  };
  // As many fours as there are from the first output on, without the last two outputs.
  const Four* fours() const { return fours_.data(); }
  size_t fourCount() const { return fours_.size(); }
  // For each four, and each four taps of it: the weights of taps 0 and 1 of the first two outputs, of taps 2 and 3, and the same of the other two, each pair
  // repeated for four channels.
  const int16_t* spread() const { return spread_.data(); }
  static constexpr int32_t spreadStep = 64;
  // Where every output is a source pixel as it is, one after the other: the first of them. Otherwise -1.
  int32_t copied() const;
  // The source pixels that are used: [low, high).
  int32_t low() const { return low_; }
  int32_t high() const { return high_; }

 private:
  void weigh();
  void round();
  void spreadOut();

  Axis axis_;
  // Whether the weights are those of `axis_`.
  bool made_ = false;
  int32_t width_ = 0;
  int32_t shift_ = 0;
  int32_t low_ = 0;
  int32_t high_ = 0;
  std::vector<int32_t> firsts_;
  std::vector<int32_t> taps_;
  std::vector<float> exact_;
  std::vector<int16_t> weights_;
  std::vector<Four> fours_;
  std::vector<int16_t> spread_;
};

}  // namespace patchstream
