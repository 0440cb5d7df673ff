// What the checks of the kernels know of bfloat16; behind common.cu.
#pragma once

inline std::vector<Bfloat16> narrowed(const std::vector<float>& from) {
  std::vector<Bfloat16> to(from.size());
  for (size_t i = 0; i < from.size(); i++) put(&to[i], from[i]);
  return to;
}
inline std::vector<float> widened(const std::vector<Bfloat16>& from) {
  std::vector<float> to(from.size());
  for (size_t i = 0; i < from.size(); i++) to[i] = wide(from[i]);
  return to;
}
inline std::vector<float> widened(const std::vector<float>& from) { return from; }
