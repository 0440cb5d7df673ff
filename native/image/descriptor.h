#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace patchstream {

// A file that is open for reading; a negative number where it could not be opened.
class Descriptor {
 public:
  // Without waiting for a writer, where the path names a pipe: that is then seen not to be a file.
  explicit Descriptor(const std::string& path) : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  const int number;
};

}  // namespace patchstream
