#pragma once

#include <node_api.h>

namespace patchstream {

// What JavaScript may ask of devices, of their memory and clocks, and of how they compute.
void addDeviceCalls(napi_env env, napi_value exports);

}  // namespace patchstream
