#pragma once

#include <string>
#include <utility>
#include <vector>

namespace patchstream {

// Sets what float32 means, in the whole process: the full precision of the type in every product and convolution, on every device. libtorch's own
// default has cuDNN compute convolutions in TF32, with ten bits of mantissa. With `tf32` products and convolutions on CUDA have these, as asked. Also no sums
// of narrower types than float32.
void setPrecision(bool tf32);

// What libtorch answers when asked for these settings now, by name; what a libtorch has not is left out.
std::vector<std::pair<std::string, std::string>> precisionSettings();

}  // namespace patchstream
