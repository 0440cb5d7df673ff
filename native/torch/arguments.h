// What every function of the addon has around it beside what they all have (common/napi.h): its device and its time; what libtorch throws.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <new>
#include <string>
#include <vector>

#include "../common/napi.h"
#include "device/environment.h"
#include "signals.h"

namespace patchstream {

inline std::string firstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

// What stands for want of memory in the texts of libtorch, CUDA and the libraries on it, in all their releases. Where there is a class of errors for
// it, only the newest throw that, and only from some places.
inline bool meansMemory(const std::string& text) {
  for (const char* words : {"can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED", "cudaErrorMemoryAllocation"})
    if (text.find(words) != std::string::npos) return true;
  return false;
}

// As `whatWasThrown`, with the first line of what libtorch says.
inline Thrown whatLibtorchThrew() noexcept {
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

struct Libtorch {
  using State = Environment;
  static constexpr size_t arguments = 6;
  static constexpr const char* code = "LIBTORCH";
  static Thrown thrown() noexcept { return whatLibtorchThrew(); }
};

using Arguments = ArgumentsOf<Libtorch>;

inline std::vector<int64_t> listOf(const Arguments& given, size_t i) {
  uint32_t length = 0;
  check(napi_get_array_length(given.env, given.values[i], &length), "an array is needed");
  std::vector<int64_t> items(length);
  for (uint32_t at = 0; at < length; at++) {
    napi_value item;
    check(napi_get_element(given.env, given.values[i], at, &item), "an array is needed");
    check(napi_get_value_int64(given.env, item, &items[at]), "an array of numbers is needed");
  }
  return items;
}

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

// Around every function: its device, no gradients of libtorch's own, no signals.
template <napi_value (*function)(const Arguments&)>
napi_value onDevice(const Arguments& given) {
  const SignalsHeld held;
  const c10::InferenceMode guard;
  const Stopwatch watch(given.state);
  c10::OptionalDeviceGuard there;
  if (!given.state.device.is_cpu()) there.reset_device(given.state.device);
  return function(given);
}

template <napi_value (*function)(const Arguments&)>
constexpr napi_callback entry = call<Libtorch, onDevice<function>>;

}  // namespace patchstream
