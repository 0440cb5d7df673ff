#pragma once

namespace patchstream {

// What a decoder or encoder answers. `foreign`: sound as far as it was read, but of a kind that is left to another.
enum class Answer { well, broken, foreign, stopped, memory };

}  // namespace patchstream
