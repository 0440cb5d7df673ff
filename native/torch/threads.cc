#include "threads.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "signals.h"

namespace patchstream {

namespace {

void singleThreadedBlas() {
  using SetThreads = void (*)(int);
  static const auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set != nullptr) set(1);
}

// How many threads of `count` there may be, the calling one included: OpenMP ends the process, without a word to JavaScript, where the system gives fewer than it
// asks for (`ulimit -u`, `pids.max`). Where there are fewer, half are left to others.
int threadsToBeHad(int count) {
  std::vector<std::thread> tried;
  std::mutex mutex;
  std::unique_lock<std::mutex> lock(mutex);
  bool all = true;
  try {
    tried.reserve(count);
    while (static_cast<int>(tried.size()) + 1 < count) tried.emplace_back([&mutex] { const std::lock_guard<std::mutex> wait(mutex); });
  } catch (const std::exception&) {
    all = false;
  }
  lock.unlock();
  for (std::thread& thread : tried) thread.join();
  return all ? count : 1 + static_cast<int>(tried.size()) / 2;
}

}  // namespace

int defaultThreads() {
  const char* wish = std::getenv("OMP_NUM_THREADS");
  if (wish != nullptr && std::atoi(wish) > 0) return std::atoi(wish);
#ifdef _OPENMP
  return omp_get_num_procs();
#else
  return at::get_num_threads();
#endif
}

void setThreads(int count) {
  const SignalsHeld held;
  at::set_num_threads(threadsToBeHad(std::max(1, count)));
  singleThreadedBlas();
  // Threads that come later are started by this one while it holds its signals; another library may have started some before.
#ifdef _OPENMP
#pragma omp parallel
  holdSignals();
#endif
}

int threadCount() { return at::in_parallel_region() ? 1 : std::max(1, at::get_num_threads()); }

void parallel(int64_t count, int64_t each, const std::function<void(int64_t, int64_t, int)>& work) {
  const int64_t worth = count * std::max<int64_t>(each, 1) / least;
  const int parts = static_cast<int>(std::min<int64_t>({threadCount(), count, std::max<int64_t>(worth, 1)}));
  if (parts <= 1) {
    if (count > 0) work(0, count, 0);
    return;
  }
  std::vector<std::exception_ptr> failures(parts);
  const auto share = [&](int part) {
    try {
      work(count * part / parts, count * (part + 1) / parts, part);
    } catch (...) {
      failures[part] = std::current_exception();
    }
  };
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(parts)
#endif
  for (int part = 0; part < parts; part++) share(part);
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace patchstream
