// The list of what JavaScript may call. Arguments are checked here and turned into plain values; what libtorch throws becomes a JavaScript
// error, with `code: 'OUT_OF_MEMORY'` for memory that could not be had.
#include <ATen/ATen.h>

#include <algorithm>
#include <mutex>
#include <string>

#include "device/allocator.h"
#include "arguments.h"
#include "device/calls.h"
#include "device/device.h"
#include "device/environment.h"
#include "device/precision.h"
#include "fused/rows.h"
#include "program.h"
#include "threads.h"
#include "device/upload.h"

namespace patchstream {

namespace {

// open(ints, numbers): the memory that calls share.
napi_value open(const Arguments& given) {
  Environment& state = given.state;
  const View ints = viewOf(given.env, given.values[0]);
  const View numbers = viewOf(given.env, given.values[1]);
  installAllocator();
  TORCH_CHECK(ints.dtype == at::kInt && numbers.dtype == at::kDouble, "an Int32Array and a Float64Array are needed");
  if (state.intsRef != nullptr) napi_delete_reference(given.env, state.intsRef);
  if (state.numbersRef != nullptr) napi_delete_reference(given.env, state.numbersRef);
  check(napi_create_reference(given.env, given.values[0], 1, &state.intsRef), "no reference");
  check(napi_create_reference(given.env, given.values[1], 1, &state.numbersRef), "no reference");
  state.ints = static_cast<int32_t*>(ints.data);
  state.intCount = ints.length;
  state.numbers = static_cast<double*>(numbers.data);
  state.numberCount = numbers.length;
  return nullptr;
}

// names(): the operations, in the order of their numbers.
napi_value names(const Arguments& given) {
  napi_value result;
  check(napi_create_array(given.env, &result), "no array");
  uint32_t at = 0;
  for (const std::string& name : operations().names()) {
    check(napi_set_element(given.env, result, at++, jsText(given.env, name)), "no array");
  }
  return result;
}

// Throws, before any output has a handle, when `tell` could not write one.
void checkTold(const Environment& state, const std::vector<at::Tensor>& outputs) {
  size_t needed = 0;
  for (const at::Tensor& output : outputs) {
    numberOf(output.scalar_type());
    needed += 3 + output.dim();
  }
  TORCH_CHECK(needed <= state.intCount, "too many outputs");
}

// Writes [handle, dtype, rank, sides…] of each output to the shared memory.
void tell(Environment& state, const std::vector<at::Tensor>& outputs) {
  size_t at = 0;
  for (size_t i = 0; i < outputs.size(); i++) {
    const at::Tensor& output = outputs[i];
    state.ints[at++] = state.outputHandles[i];
    state.ints[at++] = numberOf(output.scalar_type());
    state.ints[at++] = static_cast<int32_t>(output.dim());
    for (const int64_t side : output.sizes()) state.ints[at++] = static_cast<int32_t>(side);
  }
}

// run(opcode, inputCount, numberCount) -> outputCount.
napi_value run(const Arguments& given) {
  Environment& state = given.state;
  const int32_t opcode = given.integer(0);
  const size_t inputCount = given.integer(1);
  const size_t numberCount = given.integer(2);
  TORCH_CHECK(inputCount <= state.intCount && numberCount <= state.numberCount, "more than the shared memory holds");
  state.inputHandles.assign(state.ints, state.ints + inputCount);
  state.inputs.clear();
  for (const Handle handle : state.inputHandles) {
    state.inputs.push_back(handle < 0 ? at::Tensor() : state.table.get(handle));
  }
  Call made(state.inputs, state.numbers, static_cast<int>(numberCount), state.device);
  operations().run(opcode, made);
  checkTold(state, made.outputs);
  state.outputHandles.clear();
  for (const at::Tensor& output : made.outputs) state.outputHandles.push_back(state.table.put(output));
  state.inputs.clear();
  tell(state, made.outputs);
  if (state.observer != nullptr) {
    state.observer->ran(opcode, state.inputHandles, state.numbers, static_cast<int>(numberCount), state.outputHandles);
  }
  return jsNumber(given.env, static_cast<double>(made.outputs.size()));
}

napi_value keep(const Arguments& given, const at::Tensor& tensor) {
  const Handle handle = given.state.table.put(tensor);
  if (given.state.observer != nullptr) given.state.observer->uploaded(handle, given.state.table.get(handle));
  return jsNumber(given.env, handle);
}

// upload(values, dtype, shape) -> handle.
napi_value uploadValues(const Arguments& given) {
  const View values = viewOf(given.env, given.values[0]);
  return keep(given, upload(values, dtypeOf(given.integer(1)), listOf(given, 2), given.state.device));
}

// uploadRows(memory, starts, rowBytes, sourceDtype, dtype, shape) -> handle. The source is a dtype of tfjs, or 4 for bytes.
napi_value uploadPicked(const Arguments& given) {
  const View memory = viewOf(given.env, given.values[0]);
  const View starts = viewOf(given.env, given.values[1]);
  const at::ScalarType source = given.integer(3) == 4 ? at::kByte : dtypeOf(given.integer(3));
  return keep(given, uploadRows(memory, starts, given.integer(2), source, dtypeOf(given.integer(4)), listOf(given, 5), given.state.device));
}

const at::Tensor& toRead(const Arguments& given) {
  const Handle handle = given.integer(0);
  const at::Tensor& tensor = given.state.table.get(handle);
  if (given.state.observer != nullptr) given.state.observer->downloaded(handle);
  return tensor;
}

// download(handle, into).
napi_value download(const Arguments& given) {
  copyInto(given.env, toRead(given).to(at::kCPU), given.values[1]);
  return nullptr;
}

// downloadAsync(handle, into) -> Promise.
napi_value downloadAsync(const Arguments& given) {
  Environment& state = given.state;
  if (state.readback == nullptr) state.readback = std::make_unique<Readback>(given.env);
  return state.readback->read(toRead(given), given.values[1]);
}

// multiplyRows(rows, columns, products, lengths): see fused/rows.h. The columns [width, asked] are a tensor of the host, the others Float32Arrays.
napi_value rowProducts(const Arguments& given) {
  const at::Tensor columns = given.state.table.get(given.integer(1)).contiguous();
  const View rows = viewOf(given.env, given.values[0]), products = viewOf(given.env, given.values[2]),
             lengths = viewOf(given.env, given.values[3]);
  for (const View* view : {&rows, &products, &lengths}) TORCH_CHECK(view->dtype == at::kFloat, "Float32Arrays are needed");
  TORCH_CHECK(columns.dim() == 2 && columns.scalar_type() == at::kFloat, "columns ", columns.sizes(), " are none of float32");
  const int64_t width = columns.size(0), asked = columns.size(1), count = lengths.length;
  TORCH_CHECK(static_cast<int64_t>(rows.length) == count * width && static_cast<int64_t>(products.length) == count * asked,
              rows.length, " numbers in rows and ", products.length, " in products for ", count, " rows and columns ", columns.sizes());
  multiplyRows(static_cast<const float*>(rows.data), hostData<float>(columns), count, width, asked,
               static_cast<float*>(products.data), static_cast<float*>(lengths.data));
  return nullptr;
}

// free(handle).
napi_value release(const Arguments& given) {
  const Handle handle = given.integer(0);
  if (given.state.observer != nullptr) given.state.observer->freed(handle);
  given.state.table.remove(handle);
  return nullptr;
}

std::vector<Handle> handlesIn(const Arguments& given, size_t i) {
  const View view = viewOf(given.env, given.values[i]);
  TORCH_CHECK(view.dtype == at::kInt, "an Int32Array of handles is needed");
  const auto* handles = static_cast<const Handle*>(view.data);
  return {handles, handles + view.length};
}

// record(given): writes down what follows, until `stop`. What is given may be other tensors in a replay.
napi_value record(const Arguments& given) {
  given.state.programs->record(given.state, handlesIn(given, 0));
  return nullptr;
}

// stop() -> program.
napi_value stop(const Arguments& given) { return jsNumber(given.env, given.state.programs->stop(given.state)); }

// describe(program) -> { calls, narrow, reads, frees, keeps }.
napi_value describe(const Arguments& given) {
  const Program& program = given.state.programs->get(given.integer(0));
  return jsObject(given.env, {{"calls", jsNumber(given.env, static_cast<double>(program.calls()))},
                            {"narrow", jsNumber(given.env, static_cast<double>(program.narrow()))},
                            {"reads", jsText(given.env, program.reads())},
                            {"frees", jsBoolean(given.env, program.frees())},
                            {"keeps", jsBoolean(given.env, program.keeps())}});
}

// differ(earlier, later) -> { kind, operation }.
napi_value differ(const Arguments& given) {
  const Programs& programs = *given.state.programs;
  const Difference found = programs.get(given.integer(1)).from(programs.get(given.integer(0)));
  const char* kinds[] = {"none", "write", "sequence"};
  return jsObject(given.env, {{"kind", jsText(given.env, kinds[found.kind])}, {"operation", jsText(given.env, found.operation)}});
}

// replay(program, given) -> whether it could: false when something that it needs was freed.
napi_value replay(const Arguments& given) {
  const Program& program = given.state.programs->get(given.integer(0));
  return jsBoolean(given.env, program.replay(given.state, handlesIn(given, 1)));
}

// launch(program, given) -> as `replay`, by one launch of what was captured.
napi_value launchProgram(const Arguments& given) {
  Program& program = given.state.programs->get(given.integer(0));
  return jsBoolean(given.env, program.launch(given.state, handlesIn(given, 1)));
}

// captures(program): how often its work was captured.
napi_value captures(const Arguments& given) {
  return jsNumber(given.env, static_cast<double>(given.state.programs->get(given.integer(0)).captures()));
}

// additions(program): how many sums the newest replay or launch has added to, also when it has thrown.
napi_value additions(const Arguments& given) {
  return jsNumber(given.env, static_cast<double>(given.state.programs->get(given.integer(0)).additions()));
}

// discard(program).
napi_value discard(const Arguments& given) {
  given.state.programs->discard(given.integer(0));
  return nullptr;
}

// milliseconds() that were spent in calls so far, this one not.
napi_value milliseconds(const Arguments& given) { return jsNumber(given.env, given.state.milliseconds); }

// memory() -> { bytes, tensors }.
napi_value memory(const Arguments& given) {
  const auto& table = given.state.table;
  return jsObject(given.env, {{"bytes", jsNumber(given.env, static_cast<double>(table.bytes()))},
                            {"tensors", jsNumber(given.env, static_cast<double>(table.count()))}});
}

}  // namespace

}  // namespace patchstream

NAPI_MODULE_INIT() {
  using namespace patchstream;
  return initialise<Libtorch>(env, exports, [&](Environment& state) {
    checkKernelsWanted();
    patchstream::setThreads(defaultThreads());
    // Once in the process: a thread that comes later takes nothing back.
    static std::once_flag once;
    std::call_once(once, [] { setPrecision(false); });
    state.programs = std::make_shared<Programs>();
    addFunctions(env, exports,
                 {{"open", entry<open>},
                  {"names", entry<names>},
                  {"run", entry<run>},
                  {"upload", entry<uploadValues>},
                  {"uploadRows", entry<uploadPicked>},
                  {"download", entry<download>},
                  {"downloadAsync", entry<downloadAsync>},
                  {"multiplyRows", entry<rowProducts>},
                  {"free", entry<release>},
                  {"record", entry<record>},
                  {"stop", entry<stop>},
                  {"describe", entry<describe>},
                  {"differ", entry<differ>},
                  {"replay", entry<replay>},
                  {"launch", entry<launchProgram>},
                  {"captures", entry<captures>},
                  {"additions", entry<additions>},
                  {"discard", entry<discard>},
                  {"milliseconds", entry<milliseconds>},
                  {"memory", entry<memory>}});
    addDeviceCalls(env, exports);
  });
}
