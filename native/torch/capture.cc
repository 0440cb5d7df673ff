#include "capture.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include "device/device.h"

#if __has_include(<ATen/core/GraphImplInterface.h>)
#define PATCHSTREAM_GRAPHS 1
#include <ATen/core/GraphImplInterface.h>
#endif

namespace patchstream {

namespace {

class OnHost : public Capture {
 public:
  void take(std::function<void()> work) override { work_ = std::move(work); }
  void launch() override { work_(); }

 private:
  std::function<void()> work_;
};

#ifdef PATCHSTREAM_GRAPHS
// Has another stream of the device be the current one for its own life.
class SideStream {
 public:
  explicit SideStream(at::Device device) : guard_(device.type()), before_(guard_.exchangeStream(guard_.getStreamFromGlobalPool(device))) {}
  ~SideStream() { guard_.exchangeStream(before_); }
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;

 private:
  c10::impl::VirtualGuardImpl guard_;
  c10::Stream before_;
};

// A graph: its tensors come from memory of its own, which stays as long as it does.
class OnDevice : public Capture {
 public:
  explicit OnDevice(at::Device device) : device_(device), graph_(at::create_graph_impl(device.type())) {}

  void take(std::function<void()> work) override {
    synchronize(device_);
    const SideStream side(device_);
    // Other threads of the process go on with the device meanwhile.
    graph_->capture_begin({0, 0}, at::GraphCaptureMode::ThreadLocal);
    try {
      work();
    } catch (...) {
      const std::exception_ptr failure = std::current_exception();
      try {
        graph_->capture_end();
      } catch (const std::exception&) {
        // A capture that an error has ended already has no other end.
      }
      std::rethrow_exception(failure);
    }
    graph_->capture_end();
  }

  void launch() override { graph_->replay(); }

 private:
  at::Device device_;
  std::unique_ptr<at::GraphImplInterface> graph_;
};
#endif

}  // namespace

bool capturesOn(at::Device device) {
  if (device.type() == at::kCPU) return true;
#ifdef PATCHSTREAM_GRAPHS
  return device.is_cuda() && at::has_graph_impl(device.type());
#else
  return false;
#endif
}

std::unique_ptr<Capture> captureFor(at::Device device) {
  if (!capturesOn(device)) return nullptr;
  if (device.type() == at::kCPU) return std::make_unique<OnHost>();
#ifdef PATCHSTREAM_GRAPHS
  return std::make_unique<OnDevice>(device);
#else
  return nullptr;
#endif
}

}  // namespace patchstream
