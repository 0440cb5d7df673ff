// The threads of an addon and the queue that they wait at.
#pragma once

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace patchstream {

// Has the calling thread stand back where there are more threads than cores: JavaScript's, which keeps all others at work, would wait for its turn, and
// with it timers and signals.
inline void standBack() {
#ifdef __linux__
  // Of this thread alone, as Linux has it; it is no harm when it is refused.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 5);
#endif
}

// Jobs that wait, and the threads that take them. What is protected by `mutex` says so; the caller holds it.
template <typename Job>
class Threads {
 public:
  Threads() = default;
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { stop(); }

  std::mutex mutex;

  // With the mutex: the jobs that no thread has taken.
  std::deque<Job*> waiting;

  // With the mutex: a further thread, which does `work`. Nothing, once stopped; where the machine gives no more threads, or no memory for one, those that are
  // there do the work. Throws where there is none.
  template <typename Work>
  bool start(Work work) {
    if (stopped_) return false;
    try {
      threads_.emplace_back(work);
      return true;
    } catch (const std::exception&) {
      if (threads_.empty()) throw;
      return false;
    }
  }

  // With the mutex.
  size_t count() const { return threads_.size(); }
  // With the mutex: threads that wait for a job.
  size_t idle() const { return idle_; }

  // All of them: glibc before 2.41 can lose the waking of one (its bug 25847), and then a job waits for ever beside threads that sleep.
  void wake() { wake_.notify_all(); }

  // In a thread, with the mutex in `lock`: waits until there is a job for it. False: it is to end.
  template <typename Ready>
  bool wait(std::unique_lock<std::mutex>& lock, Ready ready) {
    idle_++;
    wake_.wait(lock, [&] { return stopped_ || (!waiting.empty() && ready()); });
    idle_--;
    return !stopped_;
  }

  // Ends the threads, each after the job it is at; those that wait are dropped.
  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stopped_ = true;
      waiting.clear();
    }
    wake();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  std::condition_variable wake_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopped_ = false;
};

}  // namespace patchstream
