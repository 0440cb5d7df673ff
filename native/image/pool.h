#pragma once

#include <node_api.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "../common/delivery.h"
#include "../common/threads.h"
#include "job.h"
#include "render.h"

namespace patchstream {

// The threads of one environment (a JavaScript thread), which render what it submits. They are started by the first job and end with the
// environment.
class Pool {
 public:
  Pool(napi_env env, napi_value callback, int32_t threads);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  // The job of a number that the caller gives it and that is not in use: made at first, used again later.
  Job& at(int32_t id);
  // Starts the jobs. `keep` holds the arrays whose memory they read and write, until the last has ended.
  void submit(const std::vector<Job*>& jobs, napi_value keep);
  // After this the job writes nothing any more. It ends as cancelled, unless it had ended.
  void cancel(int32_t id);
  // The message that came has been dealt with, and another may come. Asked for in another turn of the event loop than that of the message: Node delivers one
  // behind the other while there are any, and timers, signals and the rest would wait for all of them.
  void listen();
  // How many threads take jobs from now on.
  void setThreads(int32_t count);
  // Ends the threads; jobs that have not begun are dropped, and the others end as soon as if they were cancelled.
  void stop();

 private:
  // The arrays of one `submit`.
  struct Keep {
    napi_ref arrays = nullptr;
    size_t open = 0;
  };
  struct Slot {
    Job job;
    Keep* keep = nullptr;
  };

  // Jobs that a thread takes at a time.
  struct Handful {
    std::array<Job*, 256> jobs;
    size_t count = 0;

    Job* const* begin() const { return jobs.data(); }
    Job* const* end() const { return jobs.data() + count; }
  };

  void start();
  void work(size_t index);
  static void render(std::optional<Renderer>& renderer, Job& job) noexcept;
  void take(Handful& taken);
  static void deliver(napi_env env, napi_value callback, void* context, void* data);
  void hand(napi_env env, napi_value callback, const std::vector<Job*>& ended, size_t first, size_t count);
  void release(napi_env env, Job& job);

  napi_env env_;
  // Of the JavaScript thread alone.
  std::vector<std::unique_ptr<Slot>> slots_;
  // What messages are written into, again and again: an Int32Array, and where its memory lies.
  napi_ref outcomes_ = nullptr;
  int32_t* numbers_ = nullptr;

  // How many threads take jobs, with the mutex of `threads_`.
  size_t wanted_;
  // How many jobs wait, for who reports.
  std::atomic<size_t> queued_{0};
  Delivery<Job> done_;
  Threads<Job> threads_;
};

}  // namespace patchstream
