// What JavaScript calls to read by threads that may wait for disks.
#pragma once

#include "environment.h"

namespace patchstream {

// openReaders(callback): see Readers::deliver.
napi_value openReaders(const Arguments& given);

// read(ids, places, paths): a read for each id. Of each place: the descriptor, the offset and the length; where there is a path, the descriptor is -1, and the length
// the most that the file may have.
napi_value readWaiting(const Arguments& given);

// takeRead(id, room) -> whether it is in the room now; without a room it is thrown away. The id is free again.
napi_value takeRead(const Arguments& given);

// cancelRead(id): nobody waits for it any more.
napi_value cancelRead(const Arguments& given);

// listenReaders(): asks for the next message.
napi_value listenReaders(const Arguments& given);

}  // namespace patchstream
