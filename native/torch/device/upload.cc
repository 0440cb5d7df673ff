#include "device/upload.h"

#include <cstring>

#include "../common/napi.h"
#include "device/device.h"

namespace patchstream {

namespace {

at::ScalarType elementOf(napi_typedarray_type type) {
  switch (type) {
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return at::kByte;
    case napi_int8_array:
      return at::kChar;
    case napi_int16_array:
      return at::kShort;
    case napi_int32_array:
      return at::kInt;
    case napi_float32_array:
      return at::kFloat;
    case napi_float64_array:
      return at::kDouble;
    default:
      TORCH_CHECK(false, "an array of numbers is needed");
  }
}

// Numbers go to a device in their own type when that is narrower, and are converted there: pictures as bytes.
at::ScalarType crossing(at::ScalarType source, at::ScalarType dtype) {
  return at::elementSize(source) <= at::elementSize(dtype) ? source : dtype;
}

// Memory from which CUDA copies by itself while this thread goes on. libtorch keeps it for the next upload, and gives it out again when the copy, by
// an event of the stream, is done.
at::Tensor staging(at::IntArrayRef shape, at::ScalarType dtype, at::Device device) {
  return at::empty(shape, at::TensorOptions(dtype).device(at::kCPU).pinned_memory(device.is_cuda()));
}

at::Tensor sent(const at::Tensor& staged, at::ScalarType dtype, at::Device device) {
  // Without the allocator of pinned memory, nobody would keep it for a copy that is under way.
  return staged.to(device, /*non_blocking=*/device.is_cuda()).to(dtype);
}

}  // namespace

View viewOf(napi_env env, napi_value array) {
  const TypedArray found = typedArrayOf(env, array);
  return {found.data, found.length, elementOf(found.type)};
}

at::Tensor upload(const View& from, at::ScalarType dtype, at::IntArrayRef shape, at::Device device) {
  const at::Tensor result = staging(shape, onHost(device) ? dtype : crossing(from.dtype, dtype), device);
  TORCH_CHECK(result.numel() == static_cast<int64_t>(from.length), "the shape has ", result.numel(), " elements, the array ", from.length);
  // from_blob wants memory even for nothing.
  if (from.length > 0) result.copy_(at::from_blob(from.data, shape, at::TensorOptions(from.dtype)));
  return sent(result, dtype, device);
}

at::Tensor uploadRows(const View& memory, const View& starts, int64_t rowBytes, at::ScalarType source, at::ScalarType dtype,
                      at::IntArrayRef shape, at::Device device) {
  TORCH_CHECK(memory.dtype == at::kByte && starts.dtype == at::kDouble, "bytes, and starts as float64, are needed");
  const at::Tensor result = staging(shape, onHost(device) ? dtype : crossing(source, dtype), device);
  const int64_t rows = static_cast<int64_t>(starts.length);
  const int64_t perRow = rowBytes / static_cast<int64_t>(at::elementSize(source));
  TORCH_CHECK(result.numel() == rows * perRow, "the shape has ", result.numel(), " elements, the rows ", rows * perRow);
  if (result.numel() == 0) return sent(result, dtype, device);
  const at::Tensor lines = result.view({rows, perRow});
  for (int64_t row = 0; row < rows; row++) {
    const double start = static_cast<const double*>(starts.data)[row];
    TORCH_CHECK(start >= 0 && start + rowBytes <= static_cast<double>(memory.length), "a row lies outside the memory");
    void* data = static_cast<char*>(memory.data) + static_cast<size_t>(start);
    lines.select(0, row).copy_(at::from_blob(data, {perRow}, at::TensorOptions(source)));
  }
  return sent(result, dtype, device);
}

}  // namespace patchstream
