// The list of what JavaScript may call. Arguments are checked here and turned into plain values; a mistake of the caller is thrown.
#include <node_api.h>

#include <array>
#include <climits>
#include <cstring>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "arguments.h"
#include "crc32.h"
#include "pool.h"
#include "records.h"
#include "render.h"
#include "resize.h"

#include <jpeglib.h>

namespace patchstream {

namespace {

// All that one JavaScript thread has of the renderer.
struct Environment {
  std::unique_ptr<Pool> pool;
  // Used again by every call.
  std::vector<Job*> jobs;
  std::vector<size_t> lengths;
  // Of the JavaScript thread, for records.
  Renderer renderer;
  Job records;
};

struct Arguments {
  napi_env env;
  Environment& state;
  std::array<napi_value, 3> values;

  int32_t integer(size_t i) const {
    int32_t value = 0;
    check(napi_get_value_int32(env, values[i], &value) == napi_ok, "a number is needed");
    return value;
  }
};

Pool& poolOf(const Arguments& given) {
  check(given.state.pool != nullptr, "open comes first");
  return *given.state.pool;
}

// About as long as rendering so many bytes takes: a few files are read in one go.
constexpr size_t fileWeight = size_t{8} << 10;

Job& jobAt(Pool& pool, int32_t id) {
  check(id >= 0 && id < (1 << 20), "the id is out of range");
  return pool.at(id);
}

// open(threads, callback): see Pool::deliver.
napi_value open(const Arguments& given) {
  check(given.state.pool == nullptr, "open comes once");
  given.state.pool = std::make_unique<Pool>(given.env, given.values[1], given.integer(0));
  return nullptr;
}

// submit(ints, count, arrays). Of each job: id, kind, width, height, orientation, outputs, steps, and the ints of every step (job.h); in arrays its
// bytes and then its outputs.
napi_value submit(const Arguments& given) {
  Pool& pool = poolOf(given);
  const View ints = viewOf(given.env, given.values[0]);
  const auto count = static_cast<size_t>(given.integer(1));
  check(ints.type == napi_int32_array && count <= ints.length, "an Int32Array is needed");
  Numbers numbers{static_cast<const int32_t*>(ints.data), static_cast<const int32_t*>(ints.data) + count};
  std::vector<Job*>& jobs = given.state.jobs;
  jobs.clear();
  uint32_t array = 0;
  while (numbers.at < numbers.end) {
    const int32_t* head = numbers.next(7);
    Job& job = jobAt(pool, head[0]);
    job.kind = static_cast<Kind>(head[1]);
    check(job.kind != Kind::file && job.kind != Kind::frame, "what is only read is no picture");
    job.width = head[2];
    job.height = head[3];
    job.orientation = head[4];
    const View bytes = bytesAt(given.env, given.values[2], array++);
    job.bytes = static_cast<const uint8_t*>(bytes.data);
    job.length = bytes.length;
    job.weight = job.kind == Kind::jpeg ? bytes.length * 16 : bytes.length;
    job.outputs.clear();
    given.state.lengths.clear();
    for (int32_t i = 0; i < head[5]; i++) {
      const View out = bytesAt(given.env, given.values[2], array++);
      job.outputs.push_back(static_cast<uint8_t*>(out.data));
      given.state.lengths.push_back(out.length);
      job.weight += out.length;
    }
    check(head[6] > 0 && head[6] < 1024, "the number of steps is out of range");
    job.steps.resize(head[6]);
    for (Step& step : job.steps) std::memcpy(&step, numbers.next(stepInts), sizeof step);
    check(isSound(job, given.state.lengths), "the numbers of a job do not fit together");
    jobs.push_back(&job);
  }
  pool.submit(jobs, given.values[2]);
  return nullptr;
}

// renderRecords(ints, data, out) -> outcome: all in the calling thread. The ints: kind, width and height of a record, the number of steps, the ints of every step,
// and the indices of the records, as many as are left.
napi_value renderRecords(const Arguments& given) {
  const View ints = viewOf(given.env, given.values[0]);
  const View data = viewOf(given.env, given.values[1]);
  const View out = viewOf(given.env, given.values[2]);
  check(ints.type == napi_int32_array, "an Int32Array is needed");
  check(data.type == napi_uint8_array && out.type == napi_uint8_array, "a Uint8Array is needed");
  Numbers numbers{static_cast<const int32_t*>(ints.data), static_cast<const int32_t*>(ints.data) + ints.length};
  const int32_t* head = numbers.next(4);
  Job& job = given.state.records;
  job.kind = static_cast<Kind>(head[0]);
  job.width = head[1];
  job.height = head[2];
  check(head[3] > 0 && head[3] < 1024, "the number of steps is out of range");
  job.steps.resize(head[3]);
  for (Step& step : job.steps) std::memcpy(&step, numbers.next(stepInts), sizeof step);
  Records records;
  records.data = static_cast<const uint8_t*>(data.data);
  records.length = data.length;
  records.indices = numbers.at;
  records.count = static_cast<size_t>(numbers.end - numbers.at);
  records.out = static_cast<uint8_t*>(out.data);
  records.outLength = out.length;
  const std::optional<Outcome> outcome = renderAlike(given.state.renderer, job, records);
  check(outcome.has_value(), "the numbers do not fit together");
  napi_value result;
  napi_create_int32(given.env, static_cast<int32_t>(*outcome), &result);
  return result;
}

// readFiles(ids, paths, rooms): a job for each file; see files.h.
napi_value readFiles(const Arguments& given) {
  Pool& pool = poolOf(given);
  const View ids = viewOf(given.env, given.values[0]);
  check(ids.type == napi_int32_array, "an Int32Array is needed");
  std::vector<Job*>& jobs = given.state.jobs;
  jobs.clear();
  for (uint32_t i = 0; i < ids.length; i++) {
    Job& job = jobAt(pool, static_cast<const int32_t*>(ids.data)[i]);
    const View room = bytesAt(given.env, given.values[2], i);
    job.kind = Kind::file;
    textAt(given.env, given.values[1], i, job.path);
    job.outputs.assign(1, static_cast<uint8_t*>(room.data));
    job.outputLength = room.length;
    job.weight = fileWeight;
    jobs.push_back(&job);
  }
  pool.submit(jobs, given.values[2]);
  return nullptr;
}

// cancel(id): when it returns, the job writes nothing any more.
napi_value cancel(const Arguments& given) {
  poolOf(given).cancel(given.integer(0));
  return nullptr;
}

// readFrames(ids, places, rooms): a job for each frame; see files.h. Of each place: the descriptor, the offset and the length, for which there is room.
napi_value readFrames(const Arguments& given) {
  Pool& pool = poolOf(given);
  const View ids = viewOf(given.env, given.values[0]);
  const View places = viewOf(given.env, given.values[1]);
  check(ids.type == napi_int32_array, "an Int32Array is needed");
  check(places.type == napi_float64_array && places.length == 3 * ids.length, "a Float64Array is needed");
  const auto* place = static_cast<const double*>(places.data);
  std::vector<Job*>& jobs = given.state.jobs;
  jobs.clear();
  for (uint32_t i = 0; i < ids.length; i++, place += 3) {
    check(place[0] >= 0 && place[0] <= INT32_MAX && place[1] >= 0 && place[1] <= static_cast<double>(int64_t{1} << 53), "a place is out of range");
    Job& job = jobAt(pool, static_cast<const int32_t*>(ids.data)[i]);
    const View room = bytesAt(given.env, given.values[2], i);
    job.kind = Kind::frame;
    job.descriptor = static_cast<int32_t>(place[0]);
    job.offset = static_cast<int64_t>(place[1]);
    check(place[2] >= 0 && place[2] <= static_cast<double>(room.length), "a frame is longer than its room");
    job.outputs.assign(1, static_cast<uint8_t*>(room.data));
    job.outputLength = static_cast<size_t>(place[2]);
    job.weight = job.outputLength;
    jobs.push_back(&job);
  }
  pool.submit(jobs, given.values[2]);
  return nullptr;
}

// listen(): asks for the next message; see Pool.
napi_value listen(const Arguments& given) {
  poolOf(given).listen();
  return nullptr;
}

// setThreads(count).
napi_value setThreads(const Arguments& given) {
  poolOf(given).setThreads(given.integer(0));
  return nullptr;
}

// crc32(bytes, before, slower) -> CRC-32, by the fastest way but for the first `slower`. Missing where the processor has no carry-less multiplication: zlib's
// is faster then.
napi_value crc32Of(const Arguments& given) {
  const View bytes = viewOf(given.env, given.values[0]);
  check(bytes.type == napi_uint8_array, "a Uint8Array is needed");
  uint32_t before = 0;
  check(napi_get_value_uint32(given.env, given.values[1], &before) == napi_ok, "a number is needed");
  napi_value result;
  napi_create_uint32(given.env, crc32(before, static_cast<const uint8_t*>(bytes.data), bytes.length, static_cast<size_t>(given.integer(2))), &result);
  return result;
}

// crc32Ways() -> how many ways crc32 has.
napi_value crc32WaysOf(const Arguments& given) {
  napi_value result;
  napi_create_uint32(given.env, static_cast<uint32_t>(crc32Ways()), &result);
  return result;
}

// setPortable(on): for comparisons, takes the plain form of the vector code, in the whole process.
napi_value setPortable(const Arguments& given) {
  usePortablePasses(given.integer(0) != 0);
  return nullptr;
}

// info() -> { version, vectors }.
napi_value info(const Arguments& given) {
  napi_value result;
  napi_value version;
  napi_value vectors;
  napi_create_object(given.env, &result);
  napi_create_int32(given.env, LIBJPEG_TURBO_VERSION_NUMBER, &version);
  napi_create_string_utf8(given.env, avx2Passes() == nullptr ? "plain" : "avx2", NAPI_AUTO_LENGTH, &vectors);
  napi_set_named_property(given.env, result, "version", version);
  napi_set_named_property(given.env, result, "vectors", vectors);
  return result;
}

template <napi_value (*function)(const Arguments&)>
napi_value call(napi_env env, napi_callback_info info) {
  void* state = nullptr;
  napi_get_instance_data(env, &state);
  Arguments given{env, *static_cast<Environment*>(state), {}};
  size_t count = given.values.size();
  napi_get_cb_info(env, info, &count, given.values.data(), nullptr, nullptr);
  try {
    return function(given);
  } catch (const std::bad_alloc& error) {
    napi_throw_error(env, "OUT_OF_MEMORY", error.what());
  } catch (const std::exception& error) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_error(env, "RENDER", error.what());
  }
  return nullptr;
}

}  // namespace

}  // namespace patchstream

namespace {

napi_value initialised(napi_env env, napi_value exports) {
  using namespace patchstream;
  auto* state = new Environment();
  napi_set_instance_data(env, state, [](napi_env, void* state, void*) { delete static_cast<Environment*>(state); }, nullptr);
  std::vector<std::pair<const char*, napi_callback>> entries = {
      {"open", call<patchstream::open>},       {"submit", call<submit>}, {"cancel", call<cancel>}, {"setThreads", call<setThreads>},
      {"setPortable", call<setPortable>}, {"info", call<info>}, {"renderRecords", call<renderRecords>},
      {"readFiles", call<readFiles>},
      {"readFrames", call<readFrames>},
      {"listen", call<patchstream::listen>},
  };
  if (crc32Ways() > 0) {
    entries.push_back({"crc32", call<crc32Of>});
    entries.push_back({"crc32Ways", call<crc32WaysOf>});
  }
  for (const auto& [name, entry] : entries) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, entry, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}

}  // namespace

NAPI_MODULE_INIT() {
  try {
    return initialised(env, exports);
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}
