#include "cuda/driver.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>
#include <tuple>
#include <type_traits>

#include "cuda/nvrtc.h"
#include "device/cuda.h"

namespace patchstream {

namespace {

// A libtorch before 2.9 does not give a stream's own handle. That of the stream that is used by default is nothing.
template <class Guard, class = void>
struct GivesHandles : std::false_type {};
template <class Guard>
struct GivesHandles<Guard, std::void_t<decltype(std::declval<const Guard&>().getStreamNativeHandle(std::declval<c10::Stream>()))>> : std::true_type {};

template <class Guard>
void* handleOf(const Guard& guard, c10::Stream stream) {
  if constexpr (GivesHandles<Guard>::value) return guard.getStreamNativeHandle(stream);
  TORCH_CHECK(stream.id() == 0, "this libtorch does not give the handle of a stream");
  return nullptr;
}

template <class Function>
Function ofDriver(const char* name) {
  static void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  const auto found = driver == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(driver, name));
  if (found == nullptr) throw std::runtime_error(std::string("CUDA's driver has no ") + name);
  return found;
}

// Throws what CUDA calls the failure.
void done(int status, const char* what) {
  if (status == 0) return;
  const char* name = nullptr;
  ofDriver<int (*)(int, const char**)>("cuGetErrorName")(status, &name);
  throw std::runtime_error(std::string(what) + ": " + (name == nullptr ? std::to_string(status) : name));
}

// The folder of the texts: beside that of the addon.
std::string textFolder() {
  Dl_info found{};
  dladdr(reinterpret_cast<void*>(&textFolder), &found);
  const std::string path = found.dli_fname == nullptr ? "" : found.dli_fname;
  return path.substr(0, path.rfind('/') + 1) + "../cuda/";
}

std::string readText(const std::string& name) {
  const std::string path = textFolder() + name + ".cu";
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " is not there");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void* load(const std::string& cubin) {
  void* module = nullptr;
  done(ofDriver<int (*)(void**, const void*)>("cuModuleLoadData")(&module, cubin.data()), "cuModuleLoadData");
  return module;
}

}  // namespace

void* kernelOf(const std::string& text, const std::string& name, const std::vector<std::string>& options, at::Device device) {
  static std::mutex mutex;
  // Never destroyed: threads may still be at work when the process ends.
  static auto& modules = *new std::map<std::tuple<std::string, std::vector<std::string>, int>, void*>;
  static auto& kernels = *new std::map<std::pair<void*, std::string>, void*>;
  const std::lock_guard<std::mutex> lock(mutex);
  void*& module = modules[{text, options, device.index()}];
  if (module == nullptr)
    module = load(cachedKernels({text, readText("common") + readText(text), cudaProcessor(device.index()), options}, nvrtcFolders(torchFolder())));
  void*& kernel = kernels[{module, name}];
  if (kernel == nullptr)
    done(ofDriver<int (*)(void**, void*, const char*)>("cuModuleGetFunction")(&kernel, module, name.c_str()), name.c_str());
  return kernel;
}

void launchKernel(void* kernel, const Grid& grid, void** arguments, at::Device device) {
  using Launch = int (*)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
  using Attribute = int (*)(void*, int, int);
  static const auto launch = ofDriver<Launch>("cuLaunchKernel");
  constexpr int mostDynamicSharedBytes = 8;
  constexpr unsigned withoutAsking = 48 * 1024;
  if (grid.sharedBytes > withoutAsking)
    done(ofDriver<Attribute>("cuFuncSetAttribute")(kernel, mostDynamicSharedBytes, static_cast<int>(grid.sharedBytes)), "cuFuncSetAttribute");
  const c10::impl::VirtualGuardImpl guard(device.type());
  done(launch(kernel, grid.x, grid.y, 1, grid.threadsX, grid.threadsY, 1, grid.sharedBytes, handleOf(guard, guard.getStream(device)), arguments, nullptr),
       "cuLaunchKernel");
}

}  // namespace patchstream
