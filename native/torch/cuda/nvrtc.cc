#include "cuda/nvrtc.h"

#include <dlfcn.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#ifdef __linux__
#include <link.h>
#endif

namespace patchstream {

namespace {

std::vector<std::string> matching(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

// The functions of NVRTC, by their C declarations.
struct Nvrtc {
  int (*version)(int*, int*);
  int (*create)(void**, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile)(void*, int, const char* const*);
  int (*cubinSize)(void*, size_t*);
  int (*cubin)(void*, char*);
  int (*logSize)(void*, size_t*);
  int (*log)(void*, char*);
  int (*destroy)(void**);
  int major = 0, minor = 0;
};

template <class Function>
void take(void* library, const char* name, Function& into) {
  into = reinterpret_cast<Function>(dlsym(library, name));
  if (into == nullptr) throw std::runtime_error(std::string("libnvrtc has no ") + name);
}

void* open(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders)
    for (const std::string& path : matching(folder + "/libnvrtc.so*")) {
      // NVRTC opens this one by its bare name, which is found once it is loaded.
      for (const std::string& builtins : matching(folder + "/libnvrtc-builtins.so*")) dlopen(builtins.c_str(), RTLD_NOW | RTLD_GLOBAL);
      if (void* const library = dlopen(path.c_str(), RTLD_NOW); library != nullptr) return library;
    }
  for (const char* name : {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"})
    if (void* const library = dlopen(name, RTLD_NOW); library != nullptr) return library;
  throw std::runtime_error("there is no libnvrtc");
}

const Nvrtc& nvrtc(const std::vector<std::string>& folders) {
  static const Nvrtc loaded = [&] {
    void* const library = open(folders);
    Nvrtc all{};
    take(library, "nvrtcVersion", all.version);
    take(library, "nvrtcCreateProgram", all.create);
    take(library, "nvrtcCompileProgram", all.compile);
    take(library, "nvrtcGetCUBINSize", all.cubinSize);
    take(library, "nvrtcGetCUBIN", all.cubin);
    take(library, "nvrtcGetProgramLogSize", all.logSize);
    take(library, "nvrtcGetProgramLog", all.log);
    take(library, "nvrtcDestroyProgram", all.destroy);
    all.version(&all.major, &all.minor);
    return all;
  }();
  return loaded;
}

std::string firstLineOf(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// FNV-1a of 128 bits, in 32 hexadecimal digits: tells files apart, and guards against none that was made to be taken for another.
std::string digestOf(const std::string& text) {
  using Wide = unsigned __int128;
  constexpr Wide prime = (Wide{1} << 88) + 0x13b;
  Wide value = (Wide{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
  for (const unsigned char byte : text) value = (value ^ byte) * prime;
  std::string digits;
  for (int shift = 124; shift >= 0; shift -= 4) digits += "0123456789abcdef"[static_cast<int>(value >> shift) & 15];
  return digits;
}
constexpr size_t digestLength = 32;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The folder of compiled kernels, which is there then; empty where nothing is kept.
std::string cacheFolder() {
  const std::string own = variable("PATCHSTREAM_CACHE"), xdg = variable("XDG_CACHE_HOME"), home = variable("HOME");
  if (own == "off" || (own.empty() && xdg.empty() && home.empty())) return "";
  const std::string base = !own.empty() ? own : (xdg.empty() ? home + "/.cache" : xdg) + "/patchstream";
  for (const std::string& folder : {base.substr(0, base.rfind('/')), base, base + "/kernels"}) mkdir(folder.c_str(), 0777);
  return base + "/kernels";
}

}  // namespace

std::vector<std::string> nvrtcFolders(const std::string& torchFolder) {
  std::vector<std::string> folders{torchFolder};
  for (const std::string& folder : matching(torchFolder + "/../../nvidia/*/lib")) folders.push_back(folder);
  return folders;
}

std::string torchFolder() {
  std::string folder;
#ifdef __linux__
  dl_iterate_phdr(
      [](dl_phdr_info* library, size_t, void* into) {
        const std::string path = library->dlpi_name;
        const size_t slash = path.rfind('/');
        if (slash == std::string::npos || path.compare(slash + 1, std::string::npos, "libtorch_cuda.so") != 0) return 0;
        *static_cast<std::string*>(into) = path.substr(0, slash);
        return 1;
      },
      &folder);
#endif
  return folder;
}

KernelBinary compileKernels(const KernelText& text, const std::vector<std::string>& folders) {
  const Nvrtc& with = nvrtc(folders);
  std::vector<std::string> options{"--gpu-architecture=sm_" + std::to_string(text.processor), "--std=c++17"};
  options.insert(options.end(), text.options.begin(), text.options.end());
  std::vector<const char*> words;
  for (const std::string& option : options) words.push_back(option.c_str());
  void* program = nullptr;
  if (with.create(&program, text.text.c_str(), text.name.c_str(), 0, nullptr, nullptr) != 0) throw std::runtime_error("NVRTC does not start");
  const int failure = with.compile(program, static_cast<int>(words.size()), words.data());
  const auto said = [&](auto size, auto bytes) {
    size_t length = 0;
    if (size(program, &length) != 0) return std::string();
    std::string all(length, '\0');
    if (length > 0 && bytes(program, all.data()) != 0) all.clear();
    return all;
  };
  KernelBinary made{"", said(with.logSize, with.log)};
  made.log = made.log.c_str();
  if (failure == 0) made.cubin = said(with.cubinSize, with.cubin);
  with.destroy(&program);
  if (made.cubin.empty()) throw std::runtime_error(text.name + " does not compile for sm_" + std::to_string(text.processor) + ": " + firstLineOf(made.log));
  return made;
}

std::string cachedKernels(const KernelText& text, const std::vector<std::string>& folders) {
  const Nvrtc& with = nvrtc(folders);
  const std::string folder = cacheFolder();
  std::string all = std::to_string(with.major) + '.' + std::to_string(with.minor) + '\n' + std::to_string(text.processor) + '\n';
  for (const std::string& option : text.options) all += option + '\n';
  const std::string path = folder + '/' + digestOf(all + text.text) + ".cubin";
  if (!folder.empty()) {
    const std::string kept = readFile(path);
    if (kept.size() > digestLength && digestOf(kept.substr(digestLength)) == kept.substr(0, digestLength)) return kept.substr(digestLength);
  }
  const std::string cubin = compileKernels(text, folders).cubin;
  if (!folder.empty()) {
    const std::string temporary = path + '.' + std::to_string(getpid());
    std::ofstream file(temporary, std::ios::binary);
    file << digestOf(cubin) << cubin;
    file.close();
    if (!file.good() || std::rename(temporary.c_str(), path.c_str()) != 0) std::remove(temporary.c_str());
  }
  return cubin;
}

}  // namespace patchstream
