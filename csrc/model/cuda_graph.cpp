// Compiled where the build and its LibTorch have CUDA; cuda_graph_absent.cpp elsewhere.
#include "csrc/model/cuda_graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <optional>

namespace simba {
namespace {

using Pool = decltype(at::cuda::graph_pool_handle());

// `later` goes on once `earlier` has done what is on it now.
void order(const c10::Stream& earlier, const c10::Stream& later) {
  c10::Event done(earlier.device_type());
  done.record(earlier);
  done.block(later);
}

void record(at::cuda::CUDAGraph& graph, Pool pool, const std::function<void()>& body) {
  // Other threads may allocate while this one records.
  graph.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
  try {
    body();
  } catch (...) {
    try {
      graph.capture_end();
    } catch (...) {  // the error of body says more
    }
    throw;
  }
  graph.capture_end();
}

}  // namespace

bool can_capture() { return true; }

Capture cuda_capture() {
  return [pool = at::cuda::graph_pool_handle(), own = std::optional<c10::Stream>()](
             c10::Device device, const std::function<void()>& body) mutable {
    const c10::DeviceGuard device_guard(device);
    const c10::impl::VirtualGuardImpl streams(device.type());
    const c10::Stream caller = streams.getStream(device);
    // Nothing can be recorded on the default stream; and one stream for all, since cuBLAS keeps a
    // workspace for each that it has seen.
    if (!own || own->device() != device) own = streams.getStreamFromGlobalPool(device);
    const c10::Stream side = *own;
    auto graph = std::make_shared<at::cuda::CUDAGraph>();
    {
      const c10::StreamGuard on_side(side);
      order(caller, side);
      body();
      side.synchronize();
      record(*graph, pool, body);
    }
    order(side, caller);
    return std::function<void()>([graph] { graph->replay(); });
  };
}

}  // namespace simba
