#include "likeness/calls.h"

#include <algorithm>
#include <cstring>

#include "likeness/code_index.h"

namespace patchstream {

namespace {

const auto* intsOf(const TypedArray& array) { return static_cast<const int32_t*>(array.data); }

TypedArray intsAt(const Arguments& given, size_t i) { return given.array(i, napi_int32_array, "an Int32Array is needed"); }

CodeIndex& indexOf(const Arguments& given) {
  napi_valuetype type;
  void* index = nullptr;
  check(napi_typeof(given.env, given.values[0], &type) == napi_ok && type == napi_external, "an index is needed");
  check(napi_get_value_external(given.env, given.values[0], &index), "an index is needed");
  return *static_cast<CodeIndex*>(index);
}

std::vector<uint64_t> codesAt(const Arguments& given, size_t i) {
  const TypedArray words = intsAt(given, i);
  check(words.length % 2 == 0, "two words of each code are needed");
  std::vector<uint64_t> codes(words.length / 2);
  if (!codes.empty()) std::memcpy(codes.data(), words.data, codes.size() * sizeof(uint64_t));
  return codes;
}

}  // namespace

napi_value openParts(const Arguments& given) {
  const TypedArray edges = intsAt(given, 0);
  const TypedArray waves = given.array(1, napi_float64_array, "a Float64Array is needed");
  const TypedArray intervals = intsAt(given, 2);
  constexpr int32_t quarters = 4 * thumbnailSide;
  check(edges.length % 2 == 0 && intervals.length % 2 == 0 && intervals.length > 0, "two numbers of each are needed");
  check(waves.length == edges.length / 2 * thumbnailSide * coarse, "waves of each interval are needed");
  const TypedArray fineWaves = given.array(4, napi_float64_array, "a Float64Array is needed");
  check(fineWaves.length == static_cast<size_t>(thumbnailSide) * fine, "waves of the whole are needed");
  Parts parts;
  parts.edges.assign(intsOf(edges), intsOf(edges) + edges.length);
  for (size_t i = 0; i < parts.edges.size(); i += 2)
    check(parts.edges[i] >= 0 && parts.edges[i] < parts.edges[i + 1] && parts.edges[i + 1] <= quarters, "an edge is out of range");
  const auto* numbers = static_cast<const double*>(waves.data);
  parts.waves.assign(numbers, numbers + waves.length);
  parts.intervals.assign(intsOf(intervals), intsOf(intervals) + intervals.length);
  for (const int32_t interval : parts.intervals)
    check(interval >= 0 && static_cast<size_t>(interval) < edges.length / 2, "an interval is out of range");
  parts.leastContent = given.integer(3);
  const auto* fines = static_cast<const double*>(fineWaves.data);
  parts.fineWaves.assign(fines, fines + fineWaves.length);
  given.state.parts = std::move(parts);
  return nullptr;
}

napi_value partCodes(const Arguments& given) {
  const Parts& parts = given.state.parts;
  const size_t count = parts.count();
  check(count > 0, "openParts comes first");
  const TypedArray thumbnail = given.array(0, napi_uint8_array, "a Uint8Array is needed");
  const TypedArray codes = intsAt(given, 1);
  const TypedArray content = given.array(2, napi_uint8_array, "a Uint8Array is needed");
  const TypedArray first = given.array(3, napi_float64_array, "a Float64Array is needed");
  const TypedArray fines = given.array(4, napi_float64_array, "a Float64Array is needed");
  check(thumbnail.length == static_cast<size_t>(thumbnailSide) * thumbnailSide, "a thumbnail is needed");
  check(codes.length == 4 * count && content.length == count && first.length == coarse * coarse && fines.length == fine * fine, "the results do not fit");
  std::vector<uint64_t>& made = given.state.codes;
  made.resize(2 * count);
  codesOf(parts, static_cast<const uint8_t*>(thumbnail.data),
          {made.data(), made.data() + count, static_cast<uint8_t*>(content.data),
           static_cast<double*>(first.data), static_cast<double*>(fines.data)});
  std::memcpy(codes.data, made.data(), made.size() * sizeof(uint64_t));
  return nullptr;
}

napi_value newCodes(const Arguments& given) {
  const int32_t pieces = given.integer(0);
  check(pieces >= 3 && pieces <= 8, "the number of pieces is out of range");
  auto index = std::make_unique<CodeIndex>(pieces);
  napi_value result;
  check(napi_create_external(given.env, index.get(), [](napi_env, void* data, void*) { delete static_cast<CodeIndex*>(data); }, nullptr, &result), "no index");
  index.release();
  return result;
}

napi_value addCodes(const Arguments& given) {
  CodeIndex& index = indexOf(given);
  const std::vector<uint64_t> codes = codesAt(given, 1);
  const TypedArray values = intsAt(given, 2);
  check(values.length == codes.size(), "a value of each code is needed");
  for (size_t i = 0; i < codes.size(); i++) index.add(codes[i], intsOf(values)[i]);
  return nullptr;
}

napi_value nearCodes(const Arguments& given) {
  const CodeIndex& index = indexOf(given);
  const std::vector<uint64_t> codes = codesAt(given, 1);
  const TypedArray room = intsAt(given, 3);
  std::vector<Found>& found = given.state.found;
  found.clear();
  index.near(codes.data(), codes.size(), given.integer(2), found);
  static_assert(sizeof(Found) == 3 * sizeof(int32_t));
  if (!found.empty() && 3 * found.size() <= room.length) std::memcpy(room.data, found.data(), found.size() * sizeof(Found));
  return jsNumber(given.env, static_cast<double>(found.size()));
}

}  // namespace patchstream
