// Sets variables of the environment while other threads read it. `setenv`, and `process.env` by it, may free the array that a thread just reads: with the C libraries of
// Debian 12 and Ubuntu 24.04 that thread dies (glibc has been safe since 2.41), and libvips reads variables with each picture. Here no array is ever freed.
#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "../common/napi.h"

extern "C" char** environ;

namespace patchstream {

namespace {

#ifdef __linux__

// More places than are needed, so that an array serves many times: taking variables out leaves it where it is.
constexpr size_t spare = 32;

// Where the text stands that the environment has now.
const char* append(const std::string& entry) {
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
    return text;
  }
  char** next = static_cast<char**>(std::calloc(count + 1 + spare, sizeof(char*)));
  if (next == nullptr) throw std::bad_alloc();
  for (size_t i = 0; i < count; i++) next[i] = now[i];
  next[count] = text;
  own = next;
  places = count + 1 + spare;
  __atomic_store_n(&environ, own, __ATOMIC_RELEASE);
  return text;
}

// By where it stands: what the program has set itself stands elsewhere, also where it is the same.
using Value = const char*;

Value set(const std::string& name, const std::string& value) { return append(name + '=' + value) + name.size() + 1; }

#else

using Value = std::string;

Value set(const std::string& name, std::string value) {
  // Here the system's own waits for those who read.
  check(setenv(name.c_str(), value.c_str(), 0) == 0, "the variable cannot be set");
  return value;
}

#endif

// JavaScript's threads take turns: none may be between looking and setting while another takes out.
std::mutex turn;

// A variable that is set here, and how many want it: libraries are loaded on several of JavaScript's threads at a time. Without holders it is not ours.
struct Held {
  Value value{};
  size_t holders = 0;

  bool isValue(const char* now) const { return holders > 0 && now != nullptr && value == now; }
};

std::unordered_map<std::string, Held>& held() {
  // Never freed: a thread of JavaScript may end after the destructors of what is static.
  static auto& all = *new std::unordered_map<std::string, Held>;
  return all;
}

bool hold(const std::string& name, const std::string& value) {
  const std::lock_guard<std::mutex> lock(turn);
  // Before anything is set: both may throw, and neither leaves a variable that nobody holds.
  Held& one = held()[name];
  const char* now = std::getenv(name.c_str());
  if (now != nullptr && !one.isValue(now)) return false;
  if (now == nullptr) one.value = set(name, value);
  one.holders++;
  return true;
}

void release(const std::string& name, size_t holders) {
  const std::lock_guard<std::mutex> lock(turn);
  const auto found = held().find(name);
  if (found == held().end()) return;
  Held& one = found->second;
  const bool last = one.holders <= holders;
  if (last && one.isValue(std::getenv(name.c_str()))) unsetenv(name.c_str());
  one.holders -= std::min(holders, one.holders);
}

// What one of JavaScript's threads holds: a worker that is ended while it loads a library gives it back.
struct Environment {
  std::unordered_map<std::string, size_t> own;

  ~Environment() {
    for (const auto& [name, holders] : own) release(name, holders);
  }
};

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

// add(name, value) -> whether it is this addon's: it was not set and now is, or is already for another. To be taken out again.
napi_value add(const Arguments& given) {
  const std::string name = nameOf(given);
  const std::string value = given.text(1);
  // Its place first: what is held must be counted.
  size_t& own = given.state.own[name];
  const bool holds = hold(name, value);
  if (holds) own++;
  return jsBoolean(given.env, holds);
}

// remove(name): once for each `add` that said true. Gone when nobody holds it any more, unless the program has set it since. Nothing is freed.
napi_value remove(const Arguments& given) {
  const std::string name = nameOf(given);
  const auto own = given.state.own.find(name);
  if (own == given.state.own.end() || own->second == 0) return nullptr;
  own->second--;
  release(name, 1);
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
