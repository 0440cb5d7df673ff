#include "reading/files.h"

#include <sys/stat.h>

#include "crc32.h"
#include "reading/descriptor.h"

namespace patchstream {

#ifdef PATCHSTREAM_AT_ONCE

Outcome readFile(Job& job) {
  job.size = 0;
  if (job.path.find('\0') != std::string::npos || job.cancelled()) return Outcome::unread;
  const Descriptor file(job.path);
  struct stat about {};
  if (file.number < 0 || fstat(file.number, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size <= 0) return Outcome::unread;
  const auto size = static_cast<size_t>(about.st_size);
  if (size >= job.outputLength) {
    job.size = size;
    return Outcome::unread;
  }
  // Room for a byte more than the file says it has: a read that does not fill it has seen the end. One that would wait for the disk answers short.
  if (readAtOnce(file.number, job.outputs[0], size + 1, 0) != static_cast<ssize_t>(size)) return Outcome::unread;
  job.size = size;
  return Outcome::read;
}

Outcome readFrame(Job& job) {
  job.size = 0;
  constexpr size_t sumBytes = 4;
  if (crc32Ways() == 0 || job.outputLength < sumBytes || job.cancelled()) return Outcome::unread;
  uint8_t* bytes = job.outputs[0];
  if (readAtOnce(job.descriptor, bytes, job.outputLength, job.offset) != static_cast<ssize_t>(job.outputLength)) return Outcome::unread;
  const uint32_t sum = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24;
  if (crc32(0, bytes + sumBytes, job.outputLength - sumBytes) != sum) return Outcome::unread;
  job.size = job.outputLength;
  return Outcome::read;
}

#else

Outcome readFile(Job& job) {
  job.size = 0;
  return Outcome::unread;
}

Outcome readFrame(Job& job) { return readFile(job); }

#endif

}  // namespace patchstream
