// What every function of the addon has around it: its arguments, checked and turned into plain values; its time; what libtorch throws as a JavaScript error.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <node_api.h>

#include <array>
#include <chrono>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "environment.h"

namespace patchstream {

inline void check(napi_status status, const char* what) { TORCH_CHECK(status == napi_ok, what); }

inline std::string firstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

// What stands for want of memory in the texts of libtorch, CUDA and the libraries on it, in all their releases. Where there is a class of errors for
// it, only the newest throw that, and only from some places.
inline bool meansMemory(const std::string& text) {
  for (const char* words : {"can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED", "cudaErrorMemoryAllocation"})
    if (text.find(words) != std::string::npos) return true;
  return false;
}

// The code of an error in JavaScript.
inline const char* codeOf(bool memory) { return memory ? "OUT_OF_MEMORY" : "LIBTORCH"; }

// In a handler of exceptions: the first line of what was thrown, and whether that was for want of memory. Where there is not even memory for the text, it
// is a short one, which needs none.
inline std::pair<std::string, bool> whatWasThrown() noexcept {
  try {
    try {
      throw;
    } catch (const c10::OutOfMemoryError& error) {
      return {firstLine(error.what_without_backtrace()), true};
    } catch (const c10::Error& error) {
      const std::string text = error.what_without_backtrace();
      return {firstLine(text), meansMemory(text)};
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      return {firstLine(error.what()), meansMemory(error.what())};
    }
  } catch (...) {
    return {"out of memory", true};
  }
}

inline void throwError(napi_env env, const std::string& text, bool memory) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, codeOf(memory), text.c_str());
}

struct Arguments {
  napi_env env;
  Environment& state;
  std::array<napi_value, 6> values;

  int32_t integer(size_t i) const {
    int32_t value = 0;
    check(napi_get_value_int32(env, values[i], &value), "a number is needed");
    return value;
  }
  std::string text(size_t i) const {
    std::array<char, 64> buffer{};
    size_t length = 0;
    check(napi_get_value_string_utf8(env, values[i], buffer.data(), buffer.size(), &length), "a text is needed");
    return {buffer.data(), length};
  }
  std::vector<int64_t> list(size_t i) const {
    uint32_t length = 0;
    check(napi_get_array_length(env, values[i], &length), "an array is needed");
    std::vector<int64_t> items(length);
    for (uint32_t at = 0; at < length; at++) {
      napi_value item;
      check(napi_get_element(env, values[i], at, &item), "an array is needed");
      check(napi_get_value_int64(env, item, &items[at]), "an array of numbers is needed");
    }
    return items;
  }
};

using Entry = napi_value (*)(const Arguments&);

// Adds the time of a call to the environment's.
class Stopwatch {
 public:
  explicit Stopwatch(Environment& state) : state_(state) {}
  ~Stopwatch() {
    state_.milliseconds += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun_).count();
  }

 private:
  Environment& state_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

// Around every function: its environment and device, no gradients of libtorch's own, errors.
template <Entry entry>
napi_value call(napi_env env, napi_callback_info info) {
  const c10::InferenceMode guard;
  try {
    void* state = nullptr;
    check(napi_get_instance_data(env, &state), "no environment");
    Arguments arguments{env, *static_cast<Environment*>(state), {}};
    const Stopwatch watch(arguments.state);
    c10::OptionalDeviceGuard there;
    if (!arguments.state.device.is_cpu()) there.reset_device(arguments.state.device);
    size_t count = arguments.values.size();
    check(napi_get_cb_info(env, info, &count, arguments.values.data(), nullptr, nullptr), "no arguments");
    return entry(arguments);
  } catch (...) {
    const auto [text, memory] = whatWasThrown();
    throwError(env, text, memory);
  }
  return nullptr;
}

inline napi_value number(napi_env env, double value) {
  napi_value result;
  check(napi_create_double(env, value, &result), "no number");
  return result;
}

inline napi_value text(napi_env env, const std::string& value) {
  napi_value result;
  check(napi_create_string_utf8(env, value.c_str(), value.size(), &result), "no text");
  return result;
}

inline napi_value boolean(napi_env env, bool value) {
  napi_value result;
  check(napi_get_boolean(env, value, &result), "no boolean");
  return result;
}

}  // namespace patchstream
