// The list of what JavaScript may call. Arguments are checked here and turned into plain values; a mistake of the caller is thrown.
#include <node_api.h>

#include <array>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "pool.h"

namespace patchstream {

namespace {

// All that one JavaScript thread has of the detector.
struct Environment {
  std::unique_ptr<Pool> pool;
};

void check(bool well, const char* what) {
  if (!well) throw std::invalid_argument(what);
}

struct Arguments {
  napi_env env;
  Environment& state;
  std::array<napi_value, 7> values;

  int32_t integer(size_t i) const {
    int32_t value = 0;
    check(napi_get_value_int32(env, values[i], &value) == napi_ok, "a number is needed");
    return value;
  }
  double number(size_t i) const {
    double value = 0;
    check(napi_get_value_double(env, values[i], &value) == napi_ok, "a number is needed");
    return value;
  }
  // Empty where nothing was given.
  std::string text(size_t i) const {
    napi_valuetype type;
    if (napi_typeof(env, values[i], &type) == napi_ok && type == napi_undefined) return {};
    size_t length = 0;
    check(napi_get_value_string_utf8(env, values[i], nullptr, 0, &length) == napi_ok, "a text is needed");
    std::string value(length + 1, 0);
    napi_get_value_string_utf8(env, values[i], value.data(), value.size(), &length);
    value.resize(length);
    check(value.find('\0') == std::string::npos, "a text without 0 is needed");
    return value;
  }
};

Pool& poolOf(const Arguments& given) {
  check(given.state.pool != nullptr, "open comes first");
  return *given.state.pool;
}

// open(threads, callback): see Pool::tell.
napi_value open(const Arguments& given) {
  check(given.state.pool == nullptr, "open comes once");
  given.state.pool = std::make_unique<Pool>(given.env, given.values[1], given.integer(0));
  return nullptr;
}

// submit(id, pixels, width, height, steps, least, model?): with the path of a model, landmarks are found too.
napi_value submit(const Arguments& given) {
  Pool& pool = poolOf(given);
  const int32_t id = given.integer(0);
  check(!pool.knows(id), "the id is in use");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const bool array = napi_get_typedarray_info(given.env, given.values[1], &type, &length, &data, nullptr, nullptr) == napi_ok;
  check(array && type == napi_uint8_array, "a Uint8Array is needed");
  const Grey picture{static_cast<const uint8_t*>(data), given.integer(2), given.integer(3)};
  check(picture.width > 0 && picture.height > 0 && length == static_cast<size_t>(picture.width) * picture.height, "the pixels do not fit their size");
  const int32_t steps = given.integer(4);
  check(steps >= 0 && steps < 64, "the steps are out of range");
  pool.submit(id, picture, steps, given.number(5), given.text(6), given.values[1]);
  return nullptr;
}

// cancel(id).
napi_value cancel(const Arguments& given) {
  poolOf(given).cancel(given.integer(0));
  return nullptr;
}

// info() -> { version, vectors, avx2 }: dlib's version, what this addon was compiled for, and whether the machine has AVX2.
napi_value info(const Arguments& given) {
  napi_value result;
  napi_value version;
  napi_value vectors;
  napi_value avx2;
#ifdef __AVX2__
  const char* compiled = "avx2";
#else
  const char* compiled = "plain";
#endif
#if defined(__x86_64__) && defined(__GNUC__)
  const bool machine = __builtin_cpu_supports("avx2");
#else
  const bool machine = false;
#endif
  napi_create_object(given.env, &result);
  napi_create_string_utf8(given.env, Detector::version(), NAPI_AUTO_LENGTH, &version);
  napi_create_string_utf8(given.env, compiled, NAPI_AUTO_LENGTH, &vectors);
  napi_get_boolean(given.env, machine, &avx2);
  napi_set_named_property(given.env, result, "version", version);
  napi_set_named_property(given.env, result, "vectors", vectors);
  napi_set_named_property(given.env, result, "avx2", avx2);
  return result;
}

template <napi_value (*function)(const Arguments&)>
napi_value call(napi_env env, napi_callback_info info) {
  void* state = nullptr;
  napi_get_instance_data(env, &state);
  Arguments given{env, *static_cast<Environment*>(state), {}};
  size_t count = given.values.size();
  napi_get_cb_info(env, info, &count, given.values.data(), nullptr, nullptr);
  try {
    return function(given);
  } catch (const std::bad_alloc& error) {
    napi_throw_error(env, "OUT_OF_MEMORY", error.what());
  } catch (const std::exception& error) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_error(env, "FACES", error.what());
  }
  return nullptr;
}

}  // namespace

}  // namespace patchstream

namespace {

napi_value initialised(napi_env env, napi_value exports) {
  using namespace patchstream;
  auto* state = new Environment();
  napi_set_instance_data(env, state, [](napi_env, void* state, void*) { delete static_cast<Environment*>(state); }, nullptr);
  const std::pair<const char*, napi_callback> entries[] = {
      {"open", call<patchstream::open>}, {"submit", call<submit>}, {"cancel", call<cancel>}, {"info", call<info>}};
  for (const auto& [name, entry] : entries) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, entry, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}

}  // namespace

NAPI_MODULE_INIT() {
  try {
    return initialised(env, exports);
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}
