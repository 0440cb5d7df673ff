#include "reading/calls.h"

#include <climits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace patchstream {

namespace {

Readers& readersOf(const Arguments& given) {
  check(given.state.readers != nullptr, "openReaders comes first");
  return *given.state.readers;
}

}  // namespace

napi_value openReaders(const Arguments& given) {
  check(given.state.readers == nullptr, "openReaders comes once");
  given.state.readers = std::make_unique<Readers>(given.env, given.values[0]);
  return nullptr;
}

napi_value readWaiting(const Arguments& given) {
  Readers& readers = readersOf(given);
  const TypedArray ids = given.array(0, napi_int32_array, "an Int32Array is needed");
  const TypedArray places = given.array(1, napi_float64_array, "a Float64Array is needed");
  check(places.length == 3 * ids.length, "three numbers of each place are needed");
  const auto* place = static_cast<const double*>(places.data);
  std::vector<std::shared_ptr<Read>> reads;
  for (uint32_t i = 0; i < ids.length; i++, place += 3) {
    auto read = std::make_shared<Read>();
    read->id = static_cast<const int32_t*>(ids.data)[i];
    check(read->id >= 0 && read->id < (1 << 20), "the id is out of range");
    check(place[1] >= 0 && place[1] <= static_cast<double>(int64_t{1} << 53) && place[2] >= 0 && place[2] < INT32_MAX, "a place is out of range");
    read->descriptor = static_cast<int32_t>(place[0]);
    read->offset = static_cast<int64_t>(place[1]);
    read->length = static_cast<size_t>(place[2]);
    if (read->descriptor < 0) {
      textAt(given.env, given.values[2], i, read->path);
      check(!read->path.empty() && read->path.find('\0') == std::string::npos, "a path is needed");
    }
    reads.push_back(std::move(read));
  }
  readers.submit(std::move(reads));
  return nullptr;
}

napi_value takeRead(const Arguments& given) {
  const bool wanted = given.isGiven(1);
  const TypedArray room = wanted ? given.array(1, napi_uint8_array, "a Uint8Array is needed") : TypedArray{};
  return jsBoolean(given.env, readersOf(given).take(given.integer(0), wanted ? static_cast<uint8_t*>(room.data) : nullptr, room.length));
}

napi_value cancelRead(const Arguments& given) {
  readersOf(given).cancel(given.integer(0));
  return nullptr;
}

napi_value listenReaders(const Arguments& given) {
  readersOf(given).listen();
  return nullptr;
}

}  // namespace patchstream
