// The way of jobs from the threads of an addon back to JavaScript.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <mutex>
#include <new>
#include <vector>

namespace patchstream {

inline size_t atOnce() { return 1; }

// Jobs that have ended. One message is sent for all that end until JavaScript comes to it. Only open jobs keep the program alive.
template <typename Job>
class Delivery {
 public:
  // `deliver` is called in the JavaScript thread for every message, with `context`.
  Delivery(napi_env env, napi_value callback, const char* name, void* context, napi_threadsafe_function_call_js deliver) : env_(env) {
    napi_value resource;
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource);
    if (napi_create_threadsafe_function(env, callback, nullptr, resource, 0, 1, nullptr, nullptr, context, deliver, &message_) != napi_ok) {
      throw std::bad_alloc();
    }
    napi_unref_threadsafe_function(env, message_);
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  // In the JavaScript thread, before so many jobs begin: room for all that are open in both lists, which are swapped. A thread that has no memory to report a
  // job could not report that either.
  void reserve(size_t jobs) {
    taken_.reserve(open_ + jobs);
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_.reserve(open_ + jobs);
  }

  // In the JavaScript thread.
  void opened(size_t jobs) {
    if (open_ == dropped_ && jobs > 0) napi_ref_threadsafe_function(env_, message_);
    open_ += jobs;
  }
  // Nobody waits for so many of those that are open: they keep the program alive no more.
  void dropped(size_t jobs) {
    dropped_ += jobs;
    if (open_ == dropped_ && jobs > 0) napi_unref_threadsafe_function(env_, message_);
  }
  // So many have come, `dropped` of which nobody waits for.
  void closed(size_t jobs, size_t dropped = 0) {
    const bool kept = open_ > dropped_;
    open_ -= jobs;
    dropped_ -= dropped;
    if (kept && open_ == dropped_) napi_unref_threadsafe_function(env_, message_);
  }

  // Adds jobs that have ended, for which there is room (see `reserve`), and sends a message when there are `enough()`, unless one is on its way. It is asked
  // behind all that was added before: a number of earlier could leave the last jobs without a message.
  template <typename Jobs, typename Enough = size_t (*)()>
  void add(const Jobs& jobs, Enough enough = atOnce) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_.insert(ended_.end(), jobs.begin(), jobs.end());
    send(enough);
  }

  // Another message may come.
  template <typename Enough = size_t (*)()>
  void listen(Enough enough = atOnce) {
    const std::lock_guard<std::mutex> lock(mutex_);
    sent_ = false;
    send(enough);
  }

  // In the JavaScript thread: what has ended, until the next call.
  std::vector<Job*>& take() {
    taken_.clear();
    const std::lock_guard<std::mutex> lock(mutex_);
    taken_.swap(ended_);
    return taken_;
  }

 private:
  // With the mutex.
  template <typename Enough>
  void send(Enough enough) {
    if (sent_ || ended_.empty() || ended_.size() < enough()) return;
    sent_ = true;
    // A dying environment takes none, and needs none.
    napi_call_threadsafe_function(message_, nullptr, napi_tsfn_nonblocking);
  }

  napi_env env_;
  napi_threadsafe_function message_ = nullptr;
  // Of the JavaScript thread alone.
  size_t open_ = 0;
  size_t dropped_ = 0;
  std::vector<Job*> taken_;

  std::mutex mutex_;
  std::vector<Job*> ended_;
  // Whether a message about them is on its way, or has come and nobody listens for the next.
  bool sent_ = false;
};

}  // namespace patchstream
