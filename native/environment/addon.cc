// Sets variables of the environment while other threads read it. `setenv`, and `process.env` by it, may free the array that a thread just reads: with the C libraries of
// Debian 12 and Ubuntu 24.04 that thread dies (glibc has been safe since 2.41), and libvips reads variables with each picture. Here no array is ever freed.
#include <cstdlib>
#include <mutex>
#include <unordered_set>

#include "../common/napi.h"

extern "C" char** environ;

namespace patchstream {

namespace {

#ifdef __linux__

// More places than are needed, so that an array serves many times: taking variables out leaves it where it is.
constexpr size_t spare = 32;

void append(const std::string& entry) {
  // Each text once, and never freed: threads read them until the process has ended, after the destructors of what is static.
  static auto& texts = *new std::unordered_set<std::string>;
  static char** own = nullptr;
  static size_t places = 0;

  char* text = const_cast<char*>(texts.insert(entry).first->c_str());
  char** now = environ;
  size_t count = 0;
  while (now != nullptr && now[count] != nullptr) count++;
  if (now == own && count + 1 < places) {
    // The end is set before what stands in its place, so that whoever reads meanwhile finds an end.
    __atomic_store_n(&own[count + 1], nullptr, __ATOMIC_RELEASE);
    __atomic_store_n(&own[count], text, __ATOMIC_RELEASE);
    return;
  }
  char** next = static_cast<char**>(std::calloc(count + 1 + spare, sizeof(char*)));
  if (next == nullptr) throw std::bad_alloc();
  for (size_t i = 0; i < count; i++) next[i] = now[i];
  next[count] = text;
  own = next;
  places = count + 1 + spare;
  __atomic_store_n(&environ, own, __ATOMIC_RELEASE);
}

#endif

// JavaScript's threads take turns: none may be between looking and setting while another takes out.
std::mutex turn;

struct Environment {};

struct Variables {
  using State = Environment;
  static constexpr size_t arguments = 2;
  static constexpr const char* code = "ENVIRONMENT";
  static Thrown thrown() { return whatWasThrown(); }
};

using Arguments = ArgumentsOf<Variables>;

std::string nameOf(const Arguments& given) {
  std::string name = given.text(0);
  check(!name.empty() && name.find('=') == std::string::npos, "the name of a variable is needed");
  return name;
}

// add(name, value) -> whether it was not set, and now is.
napi_value add(const Arguments& given) {
  const std::string name = nameOf(given);
  const std::string value = given.text(1);
  const std::lock_guard<std::mutex> lock(turn);
  const bool adds = std::getenv(name.c_str()) == nullptr;
#ifdef __linux__
  if (adds) append(name + '=' + value);
#else
  // Here the system's own waits for those who read.
  if (adds) check(setenv(name.c_str(), value.c_str(), 0) == 0, "the variable cannot be set");
#endif
  return jsBoolean(given.env, adds);
}

// remove(name, value): where it still has that value. Nothing is freed.
napi_value remove(const Arguments& given) {
  const std::string name = nameOf(given);
  const std::string value = given.text(1);
  const std::lock_guard<std::mutex> lock(turn);
  const char* now = std::getenv(name.c_str());
  if (now != nullptr && value == now) unsetenv(name.c_str());
  return nullptr;
}

template <napi_value (*function)(const Arguments&)>
constexpr napi_callback entry = call<Variables, function>;

}  // namespace

}  // namespace patchstream

NAPI_MODULE_INIT() {
  using namespace patchstream;
  return initialise<Variables>(env, exports, [&](Environment&) { addFunctions(env, exports, {{"add", entry<add>}, {"remove", entry<patchstream::remove>}}); });
}
