// What JavaScript gives, checked and turned into plain values. A mistake of the caller is thrown.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>

#include "../common/napi.h"

namespace patchstream {

inline TypedArray bytesAt(napi_env env, napi_value arrays, uint32_t index) {
  napi_value element;
  check(napi_get_element(env, arrays, index, &element), "an array is needed");
  const TypedArray array = typedArrayOf(env, element);
  check(array.type == napi_uint8_array, "a Uint8Array is needed");
  return array;
}

inline void textAt(napi_env env, napi_value list, uint32_t index, std::string& text) {
  napi_value element;
  size_t length = 0;
  check(napi_get_element(env, list, index, &element), "an array is needed");
  // As long as paths may be, so that it is asked for once.
  thread_local char buffer[PATH_MAX];
  check(napi_get_value_string_utf8(env, element, buffer, PATH_MAX, &length), "a text is needed");
  // One that was cut off is no path at all.
  text.assign(buffer, length < PATH_MAX - 1 ? length : 0);
}

// Reads numbers one after another, and never beyond their end.
struct Numbers {
  const int32_t* at;
  const int32_t* end;

  const int32_t* next(size_t count) {
    check(static_cast<size_t>(end - at) >= count, "numbers are missing");
    const int32_t* here = at;
    at += count;
    return here;
  }
};

}  // namespace patchstream
