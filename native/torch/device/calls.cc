#include "device/calls.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>

#include "arguments.h"
#include "capture.h"
#include "cuda/trial.h"
#include "device/allocator.h"
#include "device/cuda.h"
#include "device/precision.h"
#include "fused/bfloat16.h"
#include "fused/panels/panels.h"
#include "fused/tiles/tiles.h"
#include "threads.h"

namespace patchstream {

namespace {

// deviceMemory(name) -> { free, total }, in bytes; -1 where it is not known.
napi_value deviceMemory(const Arguments& given) {
  const auto [free, total] = memoryOf(at::Device(given.text(0)));
  return jsObject(given.env, {{"free", jsNumber(given.env, free)}, {"total", jsNumber(given.env, total)}});
}

// releaseMemory(): what is kept for later goes back to the device and to the host.
napi_value releaseUnused(const Arguments& given) {
  given.state.inputs.clear();
  releaseMemory(given.state.device);
  return nullptr;
}

// boundMemory(bytes): see allocator.h.
napi_value boundHostMemory(const Arguments& given) {
  int64_t bytes = 0;
  check(napi_get_value_int64(given.env, given.values[0], &bytes), "a number is needed");
  boundMemory(static_cast<size_t>(std::max<int64_t>(0, bytes)));
  return nullptr;
}

// mark(number): see device.h.
napi_value mark(const Arguments& given) {
  given.state.marks.set(given.integer(0), given.state.device);
  return nullptr;
}

// between(from, to) -> milliseconds.
napi_value between(const Arguments& given) {
  return jsNumber(given.env, given.state.marks.between(given.integer(0), given.integer(1)));
}

// settings(): what float32 means here, and whose kernels compute.
napi_value settings(const Arguments& given) {
  napi_value result = jsObject(given.env, {{"kernels", jsText(given.env, ownKernels() ? "own" : "aten")}});
  for (const auto& [name, value] : precisionSettings())
    napi_set_named_property(given.env, result, name.c_str(), jsText(given.env, value));
  return result;
}

// setThreads(count): see threads.h; for calls from this thread.
napi_value setThreads(const Arguments& given) {
  patchstream::setThreads(given.integer(0));
  return nullptr;
}

// setDevice(name): 'cpu', 'cuda:1', 'mps'. Tensors that are there stay where they are.
napi_value setDevice(const Arguments& given) {
  at::Device device(given.text(0));
  if (device.is_cuda() && !device.has_index()) device.set_index(0);
  // Fails here rather than in the first operation when the device does not work.
  at::empty({1}, at::TensorOptions(device));
  given.state.device = device;
  return nullptr;
}

// deviceName(name) -> the name that a CUDA device gives itself, or nothing.
napi_value deviceName(const Arguments& given) {
  const at::Device device(given.text(0));
  return jsText(given.env, (device.is_cuda() ? cudaName(device.has_index() ? device.index() : 0) : std::string()));
}

// deviceGeneration(name) -> see cudaGeneration; 0 for what is no CUDA device.
napi_value deviceGeneration(const Arguments& given) {
  const at::Device device(given.text(0));
  return jsNumber(given.env, device.is_cuda() ? cudaGeneration(device.has_index() ? device.index() : 0) : 0);
}

// allowTf32(whether): see precision.h.
napi_value allowTf32(const Arguments& given) {
  setPrecision(given.integer(0) != 0);
  return nullptr;
}

// kernels() -> what was tried of kernels of ours, and why it does not serve, or an empty text where it does.
napi_value kernels(const Arguments& given) {
  napi_value result = jsObject(given.env, {});
  for (const auto& [name, reason] : triedKernels()) napi_set_named_property(given.env, result, name.c_str(), jsText(given.env, reason));
  return result;
}

// canCapture(name) -> whether work on the device can be captured.
napi_value canCapture(const Arguments& given) { return jsBoolean(given.env, capturesOn(at::Device(given.text(0)))); }

// info() -> { version, cuda, cudaDevices, mps, bfloat16, panels, tiles, threads }: what this libtorch is, what it sees, and which loops of ours the host has.
napi_value info(const Arguments& given) {
  return jsObject(given.env, {{"version", jsText(given.env, TORCH_VERSION)},
                            {"cuda", jsBoolean(given.env, at::hasCUDA())},
                            {"cudaDevices", jsNumber(given.env, cudaDevices())},
                            {"mps", jsBoolean(given.env, at::hasMPS())},
                            {"bfloat16", jsBoolean(given.env, hostMultipliesBfloat16())},
                            {"panels", jsBoolean(given.env, hostHasPanels())},
                            {"tiles", jsBoolean(given.env, hostHasTiles())},
                            {"threads", jsNumber(given.env, at::get_num_threads())}});
}

}  // namespace

void addDeviceCalls(napi_env env, napi_value exports) {
  addFunctions(env, exports,
               {{"deviceMemory", entry<deviceMemory>},
                {"releaseMemory", entry<releaseUnused>},
                {"boundMemory", entry<boundHostMemory>},
                {"mark", entry<mark>},
                {"between", entry<between>},
                {"settings", entry<settings>},
                {"allowTf32", entry<allowTf32>},
                {"deviceName", entry<deviceName>},
                {"deviceGeneration", entry<deviceGeneration>},
                {"setThreads", entry<setThreads>},
                {"setDevice", entry<setDevice>},
                {"kernels", entry<kernels>},
                {"canCapture", entry<canCapture>},
                {"info", entry<info>}});
}

}  // namespace patchstream
