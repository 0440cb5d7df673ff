#pragma once

#include <ATen/ATen.h>
#include <node_api.h>

namespace patchstream {

// A typed array's memory, as long as JavaScript waits. May lie in a SharedArrayBuffer.
struct View {
  void* data = nullptr;
  size_t length = 0;
  at::ScalarType dtype = at::kByte;
};

// Throws for what is no typed array of numbers.
View viewOf(napi_env env, napi_value array);

// The numbers of a view, converted and copied to the device. The view is read before this returns; a device may have its copy later.
at::Tensor upload(const View& from, at::ScalarType dtype, at::IntArrayRef shape, at::Device device);

// Rows of `rowBytes` bytes that begin at `starts` in `memory`, one after another, read as `source`, converted to `dtype`.
at::Tensor uploadRows(const View& memory, const View& starts, int64_t rowBytes, at::ScalarType source, at::ScalarType dtype,
                      at::IntArrayRef shape, at::Device device);

}  // namespace patchstream
