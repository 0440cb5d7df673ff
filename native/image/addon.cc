// The list of what JavaScript may call. Arguments are checked here and turned into plain values; a mistake of the caller is thrown.
#include <sys/mman.h>

#include <climits>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "crc32.h"
#include "decode/huffman/scan.h"
#include "decode/png.h"
#include "decode/webp.h"
#include "environment.h"
#include "likeness/calls.h"
#include "pixels/resize.h"
#include "reading/calls.h"
#include "records.h"
#include "sound.h"

#include <jpeglib.h>

namespace patchstream {

namespace {

Pool& poolOf(const Arguments& given) {
  check(given.state.pool != nullptr, "open comes first");
  return *given.state.pool;
}

// About as long as rendering so many bytes takes: a few files are read in one go.
constexpr size_t fileWeight = size_t{8} << 10;

// What stands before the steps of a job.
constexpr size_t headInts = 9;

// How much longer a byte of a file takes than one that is written.
size_t weightOf(Kind kind) { return kind == Kind::jpeg ? 16 : isRaw(kind) ? 1 : 8; }

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

// How JavaScript packs it, a byte each from the lowest: the format; the quality; 1 for colour at its full size and 2 for the standard's tables; and 1 for a file
// that is to be written.
Encoding encodingOf(int32_t packed) {
  Encoding encoding;
  encoding.format = static_cast<Format>(packed & 255);
  encoding.quality = (packed >> 8) & 255;
  encoding.subsampled = ((packed >> 16) & 1) == 0;
  encoding.optimized = ((packed >> 16) & 2) == 0;
  encoding.kept = ((packed >> 24) & 255) != 0;
  return encoding;
}

// submit(ints, count, arrays, paths). Of each job: id, kind, width, height, orientation, background, outputs, steps, its encoding, and the ints of every step (job.h); in arrays its
// bytes and then its outputs; in paths that of its file, where that is to be written.
napi_value submit(const Arguments& given) {
  Pool& pool = poolOf(given);
  const TypedArray ints = given.array(0, napi_int32_array, "an Int32Array is needed");
  const auto count = static_cast<size_t>(given.integer(1));
  check(count <= ints.length, "an Int32Array of so many numbers is needed");
  Numbers numbers{static_cast<const int32_t*>(ints.data), static_cast<const int32_t*>(ints.data) + count};
  std::vector<Job*>& jobs = given.state.jobs;
  jobs.clear();
  uint32_t array = 0;
  uint32_t path = 0;
  while (numbers.at < numbers.end) {
    const int32_t* head = numbers.next(headInts);
    Job& job = jobAt(pool, head[0]);
    job.kind = static_cast<Kind>(head[1]);
    check(job.kind != Kind::file && job.kind != Kind::frame, "what is only read is no picture");
    job.width = head[2];
    job.height = head[3];
    job.orientation = head[4];
    job.background = head[5];
    const TypedArray bytes = bytesAt(given.env, given.values[2], array++);
    job.bytes = static_cast<const uint8_t*>(bytes.data);
    job.length = bytes.length;
    job.weight = bytes.length * weightOf(job.kind);
    job.outputs.clear();
    given.state.lengths.clear();
    for (int32_t i = 0; i < head[6]; i++) {
      const TypedArray out = bytesAt(given.env, given.values[2], array++);
      job.outputs.push_back(static_cast<uint8_t*>(out.data));
      given.state.lengths.push_back(out.length);
      job.weight += out.length;
    }
    check(head[7] > 0 && head[7] < 1024, "the number of steps is out of range");
    job.encoding = encodingOf(head[8]);
    check(!job.encoding.kept || job.encoding.format != Format::none, "only a file can be written");
    if (job.encoding.kept) textAt(given.env, given.values[3], path++, job.path);
    job.steps.resize(head[7]);
    for (Step& step : job.steps) std::memcpy(&step, numbers.next(stepInts), sizeof step);
    // Encoding a pixel takes about as long as decoding one.
    if (job.encoding.format != Format::none) job.weight += job.steps.back().pageBytes() * 4;
    check(isSound(job, given.state.lengths), "the numbers of a job do not fit together");
    jobs.push_back(&job);
  }
  pool.submit(jobs, given.values[2]);
  return nullptr;
}

// renderRecords(ints, data, out) -> outcome: all in the calling thread. The ints: kind, width and height of a record, the number of steps, the ints of every step,
// and the indices of the records, as many as are left.
napi_value renderRecords(const Arguments& given) {
  const TypedArray ints = given.array(0, napi_int32_array, "an Int32Array is needed");
  const TypedArray data = given.array(1, napi_uint8_array, "a Uint8Array is needed");
  const TypedArray out = given.array(2, napi_uint8_array, "a Uint8Array is needed");
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
  return jsNumber(given.env, static_cast<int32_t>(*outcome));
}

// readFiles(ids, paths, rooms): a job for each file; see files.h.
napi_value readFiles(const Arguments& given) {
  Pool& pool = poolOf(given);
  const TypedArray ids = given.array(0, napi_int32_array, "an Int32Array is needed");
  std::vector<Job*>& jobs = given.state.jobs;
  jobs.clear();
  for (uint32_t i = 0; i < ids.length; i++) {
    Job& job = jobAt(pool, static_cast<const int32_t*>(ids.data)[i]);
    const TypedArray room = bytesAt(given.env, given.values[2], i);
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
  const TypedArray ids = given.array(0, napi_int32_array, "an Int32Array is needed");
  const TypedArray places = given.array(1, napi_float64_array, "a Float64Array is needed");
  check(places.length == 3 * ids.length, "three numbers of each place are needed");
  const auto* place = static_cast<const double*>(places.data);
  std::vector<Job*>& jobs = given.state.jobs;
  jobs.clear();
  for (uint32_t i = 0; i < ids.length; i++, place += 3) {
    check(place[0] >= 0 && place[0] <= INT32_MAX && place[1] >= 0 && place[1] <= static_cast<double>(int64_t{1} << 53), "a place is out of range");
    Job& job = jobAt(pool, static_cast<const int32_t*>(ids.data)[i]);
    const TypedArray room = bytesAt(given.env, given.values[2], i);
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
  const TypedArray bytes = given.array(0, napi_uint8_array, "a Uint8Array is needed");
  uint32_t before = 0;
  check(napi_get_value_uint32(given.env, given.values[1], &before), "a number is needed");
  return jsNumber(given.env, crc32(before, static_cast<const uint8_t*>(bytes.data), bytes.length, static_cast<size_t>(given.integer(2))));
}

// crc32Ways() -> how many ways crc32 has.
napi_value crc32WaysOf(const Arguments& given) {
  return jsNumber(given.env, static_cast<double>(crc32Ways()));
}

// setPortable(on): for comparisons, takes the plain form of the vector code, libpng and libwebp alone for PNGs and WebPs, and libjpeg's own packing and its decoder of codes for
// JPEGs, in the whole process.
napi_value setPortable(const Arguments& given) {
  usePortablePasses(given.integer(0) != 0);
  return nullptr;
}

// info() -> { version, vectors, png, webp, deflate, codes, lossy, headInts, stepInts, works }: the versions of libjpeg-turbo, of libpng, libwebp and libdeflate, the latter empty without
// them; whose decoder of JPEGs' codes serves (HuffmanScan::known), and of lossy WebPs; and how many ints `submit` takes before the steps of a job and of a step, by which JavaScript knows an addon that was built for another version of it.
napi_value info(const Arguments& given) {
#ifdef PATCHSTREAM_PNG
  const char* png = png_get_libpng_ver(nullptr);
#else
  const char* png = "";
#endif
#ifdef PATCHSTREAM_WEBP
  const int number = WebPGetDecoderVersion();
  const char* lossy = WebpReader::readsLossy() ? "own" : "libwebp";
  const std::string webp = std::to_string(number >> 16) + "." + std::to_string((number >> 8) & 255) + "." + std::to_string(number & 255);
#else
  const char* lossy = "";
  const std::string webp;
#endif
#ifdef PATCHSTREAM_DEFLATE
  const char* deflate = LIBDEFLATE_VERSION_STRING;
#else
  const char* deflate = "";
#endif
  return jsObject(given.env, {{"version", jsNumber(given.env, LIBJPEG_TURBO_VERSION_NUMBER)},
                            {"vectors", jsText(given.env, avx2Passes() == nullptr ? "plain" : "avx2")},
                            {"png", jsText(given.env, png)},
                            {"webp", jsText(given.env, webp.c_str())},
                            {"deflate", jsText(given.env, deflate)},
                            {"codes", jsText(given.env, HuffmanScan::known())},
                            {"lossy", jsText(given.env, lossy)},
                            {"headInts", jsNumber(given.env, headInts)},
                            {"stepInts", jsNumber(given.env, stepInts)},
                            {"works", jsNumber(given.env, works)}});
}

// adjustMemory(bytes): so many more bytes hang on objects of JavaScript, or fewer; by their sum, which it returns, the collector judges when it is to collect.
napi_value adjustMemory(const Arguments& given) {
  int64_t all = 0;
  check(napi_adjust_external_memory(given.env, static_cast<int64_t>(given.number(0)), &all), "a number of bytes is needed");
  return jsNumber(given.env, static_cast<double>(all));
}

// largePages(bytes): asks the system for pages of 2 MiB below them, which spares the processor most look-ups of addresses. Where it has none nothing changes.
napi_value largePages(const Arguments& given) {
  const TypedArray array = given.array(0, napi_uint8_array, "a Uint8Array is needed");
  constexpr uintptr_t page = uintptr_t{2} << 20;
  const uintptr_t at = reinterpret_cast<uintptr_t>(array.data);
  const uintptr_t begin = (at + page - 1) / page * page;
  const uintptr_t end = (at + array.length) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  return nullptr;
}

template <napi_value (*function)(const Arguments&)>
constexpr napi_callback entry = call<Rendering, function>;

}  // namespace

}  // namespace patchstream

NAPI_MODULE_INIT() {
  using namespace patchstream;
  return initialise<Rendering>(env, exports, [&](Environment&) {
    addFunctions(env, exports,
                 {{"open", entry<patchstream::open>},
                  {"submit", entry<submit>},
                  {"cancel", entry<cancel>},
                  {"setThreads", entry<setThreads>},
                  {"setPortable", entry<setPortable>},
                  {"info", entry<info>},
                  {"adjustMemory", entry<adjustMemory>},
                  {"largePages", entry<largePages>},
                  {"renderRecords", entry<renderRecords>},
                  {"readFiles", entry<readFiles>},
                  {"readFrames", entry<readFrames>},
                  {"listen", entry<patchstream::listen>},
                  {"openReaders", entry<openReaders>},
                  {"read", entry<readWaiting>},
                  {"takeRead", entry<takeRead>},
                  {"cancelRead", entry<cancelRead>},
                  {"listenReaders", entry<listenReaders>},
                  {"openParts", entry<openParts>},
                  {"partCodes", entry<partCodes>},
                  {"newCodes", entry<newCodes>},
                  {"addCodes", entry<addCodes>},
                  {"nearCodes", entry<nearCodes>}});
    if (crc32Ways() > 0) addFunctions(env, exports, {{"crc32", entry<crc32Of>}, {"crc32Ways", entry<crc32WaysOf>}});
  });
}
