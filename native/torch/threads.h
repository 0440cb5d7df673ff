// One owner of the cores: the OpenMP threads that ATen and oneDNN run on as well. OpenBLAS, which would bring threads of its own, is kept
// to the calling one.
#pragma once

#include <cstdint>
#include <functional>

namespace patchstream {

// What OMP_NUM_THREADS says, else the cores that this process may use.
int defaultThreads();

// For the calling thread and what it starts from now on: so many, or as many as the system gives. At least 1.
void setThreads(int count);

int threadCount();

// Calls work(begin, end, part) with consecutive shares of 0 … count, one per thread, and returns when all are done. A thread is worth
// waking for no less than `least` floats, of which each of the count has `each`. The shares depend on these numbers and on threadCount()
// alone, so that sums made from them are the same in every run. An exception is thrown on, after all ended.
void parallel(int64_t count, int64_t each, const std::function<void(int64_t begin, int64_t end, int part)>& work);

constexpr int64_t least = 16 * 1024;

}  // namespace patchstream
