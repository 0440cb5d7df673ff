#include "device/precision.h"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <array>
#include <type_traits>

namespace patchstream {

namespace {

// Libtorch's settings have changed from release to release: what one has not is passed over when this is compiled.
template <class Use>
void where(Use use) {
  if constexpr (std::is_invocable_v<Use, at::Context&>) use(at::globalContext());
}
#define PATCHSTREAM_WHERE_THERE(call) where([](auto& context) -> decltype(void(context.call)) { context.call; })

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string text(bool value) { return value ? "true" : "false"; }
// Newer releases say more than whether: their first value is that it is allowed.
template <class Option, class = std::enable_if_t<std::is_enum_v<Option>>>
std::string text(Option value) {
  return text(static_cast<int>(value) == 0);
}
std::string text(at::Float32MatmulPrecision value) {
  switch (value) {
    case at::Float32MatmulPrecision::HIGHEST:
      return "highest";
    case at::Float32MatmulPrecision::HIGH:
      return "high";
    default:
      return "medium";
  }
}

// A setting by backend and operation, as 2.9 and later have it, first by text and then by enumerations; both name the same things in this order.
constexpr std::array<const char*, 3> backends{"generic", "cuda", "mkldnn"};
constexpr std::array<const char*, 4> operations{"all", "conv", "rnn", "matmul"};
constexpr std::array<const char*, 6> precisions{"none", "ieee", "tf32", "bf16", "default", "bf16x9"};
constexpr size_t ieee = 1, tf32OnCuda = 2;

template <class Wanted, size_t count>
Wanted valueOf(const std::array<const char*, count>& names, size_t at) {
  if constexpr (std::is_enum_v<Wanted>) {
    return static_cast<Wanted>(at);
  } else {
    return names[at];
  }
}

// What operations there are on a backend: on all of them together there is but one setting.
bool isThere(size_t backend, size_t operation) { return backend > 0 || operation == 0; }

template <class Backend, class Operation, class Precision>
void setFloat32(at::Context& context, bool tf32, void (at::Context::*set)(Backend, Operation, Precision)) {
  for (size_t backend = 0; backend < backends.size(); backend++)
    for (size_t operation = 0; operation < operations.size(); operation++)
      if (isThere(backend, operation))
        (context.*set)(valueOf<std::decay_t<Backend>>(backends, backend), valueOf<std::decay_t<Operation>>(operations, operation),
                       valueOf<std::decay_t<Precision>>(precisions, tf32 && backend == 1 && operation != 2 ? tf32OnCuda : ieee));
}

template <class Precision>
std::string nameOf(const Precision& precision) {
  if constexpr (std::is_enum_v<Precision>) {
    return precisions.at(static_cast<size_t>(precision));
  } else {
    return precision;
  }
}

template <class Precision, class Backend, class Operation>
void readFloat32(at::Context& context, Settings& into, Precision (at::Context::*get)(Backend, Operation) const) {
  for (size_t backend = 0; backend < backends.size(); backend++)
    for (size_t operation = 0; operation < operations.size(); operation++)
      if (isThere(backend, operation))
        into.emplace_back(std::string("float32.") + backends[backend] + "." + operations[operation],
                          nameOf((context.*get)(valueOf<std::decay_t<Backend>>(backends, backend),
                                                valueOf<std::decay_t<Operation>>(operations, operation))));
}

// Older releases have a switch for each library; newer ones, which warn of these, the setting above.
template <class Context>
auto setProducts(Context& context, bool tf32, int) -> decltype(setFloat32(context, tf32, &Context::setFloat32Precision)) {
  setFloat32(context, tf32, &Context::setFloat32Precision);
}
template <class Context>
void setProducts(Context& context, bool tf32, long) {
  context.setAllowTF32CuDNN(tf32);
  context.setAllowTF32CuBLAS(tf32);
}

template <class Context>
auto readProducts(Context& context, Settings& into, int)
    -> decltype(readFloat32(context, into, &Context::float32Precision)) {
  readFloat32(context, into, &Context::float32Precision);
}
template <class Context>
void readProducts(Context& context, Settings& into, long) {
  into.emplace_back("tf32.cudnn", text(context.allowTF32CuDNN()));
  into.emplace_back("tf32.cublas", text(context.allowTF32CuBLAS()));
}

#define PATCHSTREAM_READ(name, getter) \
  where([&](auto& context) -> decltype(void(context.getter())) { into.emplace_back(name, text(context.getter())); })

// oneDNN's own default, which DNNL_DEFAULT_FPMATH_MODE changes: 0 is strict.
using SetMath = int (*)(int);
using GetMath = int (*)(int*);
template <class Function>
Function named(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void setPrecision(bool tf32) {
  at::Context& context = at::globalContext();
  context.setFloat32MatmulPrecision(tf32 ? "high" : "highest");
  setProducts(context, tf32, 0);
  PATCHSTREAM_WHERE_THERE(setAllowFP16ReductionCuBLAS(false));
  PATCHSTREAM_WHERE_THERE(setAllowBF16ReductionCuBLAS(false));
  PATCHSTREAM_WHERE_THERE(setAllowFP16AccumulationCuBLAS(false));
  PATCHSTREAM_WHERE_THERE(setAllowFP16BF16ReductionMathSDP(false));
  if (const auto set = named<SetMath>("dnnl_set_default_fpmath_mode"); set != nullptr) set(0);
}

std::vector<std::pair<std::string, std::string>> precisionSettings() {
  Settings into;
  at::Context& context = at::globalContext();
  PATCHSTREAM_READ("matmul", float32MatmulPrecision);
  readProducts(context, into, 0);
  PATCHSTREAM_READ("reduction.fp16", allowFP16ReductionCuBLAS);
  PATCHSTREAM_READ("reduction.bf16", allowBF16ReductionCuBLAS);
  PATCHSTREAM_READ("accumulation.fp16", allowFP16AccumulationCuBLAS);
  PATCHSTREAM_READ("reduction.attention", allowFP16BF16ReductionMathSDP);
  int mode = 0;
  if (const auto get = named<GetMath>("dnnl_get_default_fpmath_mode"); get != nullptr && get(&mode) == 0)
    into.emplace_back("onednn", mode == 0 ? "strict" : std::to_string(mode));
  return into;
}

}  // namespace patchstream
