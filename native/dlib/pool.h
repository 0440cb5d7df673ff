#pragma once

#include <node_api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "../common/delivery.h"
#include "../common/threads.h"
#include "job.h"

namespace patchstream {

// The threads of one environment (a JavaScript thread), each with a detector of its own. A thread is started when a job finds all others busy; they
// end with the environment.
class Pool {
 public:
  Pool(napi_env env, napi_value callback, int32_t threads);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  // Starts a job of a number that is not in use. `pixels` is kept alive until it has ended.
  void submit(int32_t id, const Grey& picture, int32_t steps, double least, std::string model, napi_value pixels);
  bool knows(int32_t id) const { return open_.count(id) != 0; }
  // The job ends as cancelled, at once if it has not begun.
  void cancel(int32_t id);
  // Ends the threads, each after the picture it is at; jobs that have not begun are dropped.
  void stop();

 private:
  struct Slot {
    Job job;
    napi_ref pixels = nullptr;
  };

  void work();
  static void detect(std::optional<Detector>& detector, Job& job) noexcept;
  void report(Job* job);
  static void deliver(napi_env env, napi_value callback, void* context, void* data);
  void hand(napi_env env, napi_value callback, const Job& job);

  napi_env env_;
  // Of the JavaScript thread alone.
  std::map<int32_t, std::unique_ptr<Slot>> open_;
  const size_t most_;
  Delivery<Job> done_;
  Threads<Job> threads_;
};

}  // namespace patchstream
