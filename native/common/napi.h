// What every addon has around its functions: what JavaScript gives, checked and turned into plain values; values for JavaScript; what is thrown, as an error of
// JavaScript; the list of functions. It knows no library but Node's.
#pragma once

#include <node_api.h>

#include <array>
#include <initializer_list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace patchstream {

// A mistake of the caller is thrown.
inline void check(bool well, const char* what) {
  if (!well) throw std::invalid_argument(what);
}

inline void check(napi_status status, const char* what) { check(status == napi_ok, what); }

// A typed array's memory. It may be a SharedArrayBuffer's, which only this call can look into.
struct TypedArray {
  napi_typedarray_type type;
  size_t length;
  void* data;
};

inline TypedArray typedArrayOf(napi_env env, napi_value value) {
  TypedArray array{};
  check(napi_get_typedarray_info(env, value, &array.type, &array.length, &array.data, nullptr, nullptr), "a typed array is needed");
  return array;
}

inline napi_value jsNumber(napi_env env, double value) {
  napi_value result;
  check(napi_create_double(env, value, &result), "no number");
  return result;
}

inline napi_value jsText(napi_env env, const std::string& value) {
  napi_value result;
  check(napi_create_string_utf8(env, value.c_str(), value.size(), &result), "no text");
  return result;
}

inline napi_value jsBoolean(napi_env env, bool value) {
  napi_value result;
  check(napi_get_boolean(env, value, &result), "no boolean");
  return result;
}

using Property = std::pair<const char*, napi_value>;

inline napi_value jsObject(napi_env env, std::initializer_list<Property> properties) {
  napi_value result;
  check(napi_create_object(env, &result), "no object");
  for (const auto& [name, value] : properties) check(napi_set_named_property(env, result, name, value), "no property");
  return result;
}

// The text of what was thrown, and whether that was for want of memory, or of a thread.
struct Thrown {
  std::string text;
  bool memory;
  bool thread = false;
};

// In a handler of exceptions. Where there is not even memory for the text, it is a short one, which needs none.
inline Thrown whatWasThrown() noexcept {
  try {
    try {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::system_error& error) {
      // Only the start of a thread throws it.
      return {error.what(), false, true};
    } catch (const std::exception& error) {
      return {error.what(), false};
    }
  } catch (...) {
    return {"out of memory", true};
  }
}

// What JavaScript has given to a function of an addon, and what the addon has of this JavaScript thread. An Addon has `State`, the most `arguments` of a
// function, the `code` of its errors but those of memory, and `thrown()` as `whatWasThrown`.
template <typename Addon>
struct ArgumentsOf {
  napi_env env;
  typename Addon::State& state;
  std::array<napi_value, Addon::arguments> values;

  int32_t integer(size_t i) const {
    int32_t value = 0;
    check(napi_get_value_int32(env, values[i], &value), "a number is needed");
    return value;
  }
  double number(size_t i) const {
    double value = 0;
    check(napi_get_value_double(env, values[i], &value), "a number is needed");
    return value;
  }
  bool isGiven(size_t i) const {
    napi_valuetype type;
    return napi_typeof(env, values[i], &type) == napi_ok && type != napi_undefined;
  }
  std::string text(size_t i) const {
    size_t length = 0;
    check(napi_get_value_string_utf8(env, values[i], nullptr, 0, &length), "a text is needed");
    std::string value(length + 1, 0);
    check(napi_get_value_string_utf8(env, values[i], value.data(), value.size(), &length), "a text is needed");
    value.resize(length);
    check(value.find('\0') == std::string::npos, "a text without 0 is needed");
    return value;
  }
  // Of a type; `what` is thrown for anything else.
  TypedArray array(size_t i, napi_typedarray_type type, const char* what) const {
    bool typed = false;
    check(napi_is_typedarray(env, values[i], &typed) == napi_ok && typed, what);
    const TypedArray found = typedArrayOf(env, values[i]);
    check(found.type == type, what);
    return found;
  }
};

template <typename Addon>
const char* codeOf(const Thrown& thrown) {
  if (thrown.thread) return "NO_THREAD";
  return thrown.memory ? "OUT_OF_MEMORY" : Addon::code;
}

// In a handler of exceptions. An error of JavaScript's own that is on its way stays.
template <typename Addon>
void throwInJavaScript(napi_env env) {
  const Thrown thrown = Addon::thrown();
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, codeOf<Addon>(thrown), thrown.text.c_str());
}

// A function of an addon as Node calls it.
template <typename Addon, napi_value (*function)(const ArgumentsOf<Addon>&)>
napi_value call(napi_env env, napi_callback_info info) {
  try {
    void* state = nullptr;
    check(napi_get_instance_data(env, &state), "no environment");
    ArgumentsOf<Addon> given{env, *static_cast<typename Addon::State*>(state), {}};
    size_t count = given.values.size();
    check(napi_get_cb_info(env, info, &count, given.values.data(), nullptr, nullptr), "no arguments");
    return function(given);
  } catch (...) {
    throwInJavaScript<Addon>(env);
  }
  return nullptr;
}

using Function = std::pair<const char*, napi_callback>;

inline void addFunctions(napi_env env, napi_value exports, std::initializer_list<Function> functions) {
  for (const auto& [name, callback] : functions) {
    napi_value function;
    check(napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function), "no function");
    check(napi_set_named_property(env, exports, name, function), "no function");
  }
}

// What an addon does when it is loaded into a JavaScript thread: `state` is the thread's until it ends.
template <typename Addon, typename Begin>
napi_value initialise(napi_env env, napi_value exports, const Begin& begin) {
  using State = typename Addon::State;
  try {
    auto state = std::make_unique<State>();
    begin(*state);
    check(napi_set_instance_data(env, state.get(), [](napi_env, void* state, void*) { delete static_cast<State*>(state); }, nullptr),
          "no environment");
    state.release();
    return exports;
  } catch (...) {
    throwInJavaScript<Addon>(env);
    return nullptr;
  }
}

}  // namespace patchstream
