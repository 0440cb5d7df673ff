// Threads that read and wait for disks, apart from those that render.
#pragma once

#include <node_api.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../common/delivery.h"

namespace patchstream {

// One read: of a whole file by its path, or of a piece of a file that is open.
struct Read {
  int32_t id = 0;
  // Of a whole file; empty: of a piece.
  std::string path;
  int32_t descriptor = -1;
  int64_t offset = 0;
  // The bytes of a piece, or the most that a file may have.
  size_t length = 0;

  // What was read: memory of its own, so that a read nobody waits for any more may come back at any time.
  std::unique_ptr<uint8_t[]> bytes;
  size_t size = 0;
  bool whole = false;
  // It lay in the system's memory.
  bool atOnce = false;

  // Nobody wants it any more: a piece that has not begun is not read.
  std::atomic<bool> unwanted{false};
};

// The reading threads of one environment (a JavaScript thread). One is started for each read that finds none at rest, up to a bound, and ends after some seconds
// without work. Nobody waits for them: a thread may stand in a read that never comes back, and the environment ends all the same.
class Readers {
 public:
  Readers(napi_env env, napi_value callback);
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;
  ~Readers();

  // Starts the reads; each has an id that is not in use.
  void submit(std::vector<std::shared_ptr<Read>> reads);
  // It is not waited for any more, and does not keep the program alive. It is delivered all the same, if the program lives that long.
  void cancel(int32_t id);
  // Copies what a delivered read has brought into the room, if there is one, and forgets the read. False: it brought nothing, or the room is too small.
  bool take(int32_t id, uint8_t* room, size_t length);
  // As of Pool.
  void listen();

 private:
  struct Shared;

  static void deliver(napi_env env, napi_value callback, void* context, void* data);
  void hand(napi_env env, napi_value callback, const std::vector<Read*>& ended, size_t first, size_t count);
  void stop();

  napi_env env_;
  // What threads hold too, which may outlive this.
  std::shared_ptr<Shared> shared_;
  // Of the JavaScript thread alone, by id.
  std::vector<std::shared_ptr<Read>> slots_;
  napi_ref outcomes_ = nullptr;
  int32_t* numbers_ = nullptr;
};

}  // namespace patchstream
