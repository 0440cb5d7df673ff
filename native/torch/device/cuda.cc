#include "device/cuda.h"

#include <c10/core/DeviceGuard.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <type_traits>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11)
#define PATCHSTREAM_DEVICE_ALLOCATOR 1
#include <c10/core/CachingDeviceAllocator.h>
#elif defined(PATCHSTREAM_CUDA)
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace patchstream {

namespace {

// Of CUDA's runtime, which libtorch has loaded; by its name, for its headers are not everywhere.
using MemGetInfo = int (*)(size_t*, size_t*);

// The allocator of CUDA tensors; nothing before the first of them, when there is nothing to ask.
auto* allocator() {
#if defined(PATCHSTREAM_DEVICE_ALLOCATOR)
  auto* const found = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA));
  return found != nullptr && found->initialized() ? found : nullptr;
#elif defined(PATCHSTREAM_CUDA)
  auto* const found = c10::cuda::CUDACachingAllocator::get();
  return found != nullptr && found->initialized() ? found : nullptr;
#else
  return static_cast<void*>(nullptr);
#endif
}

// Bytes that libtorch keeps for later tensors: to them, they are free.
template <class Allocator>
double kept(Allocator* from, c10::DeviceIndex device) {
  if constexpr (std::is_void_v<Allocator>) {
    return 0;
  } else {
    if (from == nullptr) return 0;
    const auto stats = from->getDeviceStats(device);
    return static_cast<double>(stats.reserved_bytes[0].current - stats.allocated_bytes[0].current);
  }
}

template <class Allocator>
void release(Allocator* from) {
  if constexpr (!std::is_void_v<Allocator>) {
    if (from != nullptr) from->emptyCache();
  }
}

// A function of the driver, which CUDA's runtime has loaded and started.
template <class Function>
Function ofDriver(const char* name) {
  static void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  return driver == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(driver, name));
}

}  // namespace

DeviceMemory cudaMemory(int index) {
  static const auto ask = reinterpret_cast<MemGetInfo>(dlsym(RTLD_DEFAULT, "cudaMemGetInfo"));
  if (ask == nullptr) return {};
  const auto device = static_cast<c10::DeviceIndex>(index);
  const c10::DeviceGuard guard(c10::Device(c10::DeviceType::CUDA, device));
  size_t free = 0;
  size_t total = 0;
  if (ask(&free, &total) != 0) return {};
  return {static_cast<double>(free) + kept(allocator(), device), static_cast<double>(total)};
}

std::string cudaName(int index) {
  static const auto ask = ofDriver<int (*)(char*, int, int)>("cuDeviceGetName");
  char name[256] = {};
  return ask != nullptr && ask(name, sizeof name - 1, index) == 0 ? name : "";
}

namespace {

int attributeOf(int index, int attribute) {
  static const auto ask = ofDriver<int (*)(int*, int, int)>("cuDeviceGetAttribute");
  int value = 0;
  return ask != nullptr && ask(&value, attribute, index) == 0 ? value : 0;
}
constexpr int majorCapability = 75;
constexpr int minorCapability = 76;
constexpr int multiprocessors = 16;

}  // namespace

int cudaGeneration(int index) { return attributeOf(index, majorCapability); }
int cudaMultiprocessors(int index) { return attributeOf(index, multiprocessors); }
int cudaProcessor(int index) { return 10 * attributeOf(index, majorCapability) + attributeOf(index, minorCapability); }

void releaseCuda() { release(allocator()); }

}  // namespace patchstream
