// The list of what JavaScript may call. Arguments are checked here and turned into plain values; a mistake of the caller is thrown.
#include <memory>

#include "../common/napi.h"
#include "pool.h"

namespace patchstream {

namespace {

// All that one JavaScript thread has of the detector.
struct Environment {
  std::unique_ptr<Pool> pool;
};

struct Faces {
  using State = Environment;
  static constexpr size_t arguments = 7;
  static constexpr const char* code = "FACES";
  static Thrown thrown() noexcept { return whatWasThrown(); }
};

using Arguments = ArgumentsOf<Faces>;

Pool& poolOf(const Arguments& given) {
  check(given.state.pool != nullptr, "open comes first");
  return *given.state.pool;
}

// open(threads, callback): see Pool::hand.
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
  const TypedArray pixels = given.array(1, napi_uint8_array, "a Uint8Array is needed");
  const Grey picture{static_cast<const uint8_t*>(pixels.data), given.integer(2), given.integer(3)};
  check(picture.width > 0 && picture.height > 0 && pixels.length == static_cast<size_t>(picture.width) * picture.height,
        "the pixels do not fit their size");
  const int32_t steps = given.integer(4);
  check(steps >= 0 && steps < 64, "the steps are out of range");
  pool.submit(id, picture, steps, given.number(5), given.isGiven(6) ? given.text(6) : std::string(), given.values[1]);
  return nullptr;
}

// cancel(id).
napi_value cancel(const Arguments& given) {
  poolOf(given).cancel(given.integer(0));
  return nullptr;
}

// info() -> { version, vectors, avx2 }: dlib's version, what this addon was compiled for, and whether the machine has AVX2.
napi_value info(const Arguments& given) {
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
  return jsObject(given.env, {{"version", jsText(given.env, Detector::version())}, {"vectors", jsText(given.env, compiled)}, {"avx2", jsBoolean(given.env, machine)}});
}

template <napi_value (*function)(const Arguments&)>
constexpr napi_callback entry = call<Faces, function>;

}  // namespace

}  // namespace patchstream

NAPI_MODULE_INIT() {
  using namespace patchstream;
  return initialise<Faces>(env, exports, [&](Environment&) {
    addFunctions(env, exports, {{"open", entry<patchstream::open>}, {"submit", entry<submit>}, {"cancel", entry<cancel>}, {"info", entry<info>}});
  });
}
