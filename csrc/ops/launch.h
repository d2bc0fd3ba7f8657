// Where a kernel runs: torch's thread pool on the CPU, the current stream on a GPU.
#pragma once

#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <cstdint>

#include "csrc/ops/checks.h"
#ifdef SIMBA_WITH_CUDA
#include "csrc/ops/cuda_launch.h"
#endif

namespace simba::ops {

// Runs body(begin, end) over work items [0, items), which read about `elements` elements in all. A
// thread gets no less than kThreadElements of them, so that small calls stay on one.
template <typename Body>
void parallel_items(std::int64_t items, std::int64_t elements, const Body& body) {
  constexpr std::int64_t kThreadElements = 16384;
  if (items <= 0) return;
  const std::int64_t item_elements = std::max<std::int64_t>(1, elements / items);
  const std::int64_t grain = std::max<std::int64_t>(1, kThreadElements / item_elements);
  torch::stable::parallel_for(0, items, grain, body);
}

// Runs cpu(), or cuda(stream) where `lead` lies on a GPU. `cuda` is a generic lambda that returns a
// cudaError_t: a build without CUDA never instantiates it.
template <typename Cpu, typename Cuda>
void launch([[maybe_unused]] const Checks& check, [[maybe_unused]] const Tensor& lead,
            const Cpu& cpu, [[maybe_unused]] const Cuda& cuda) {
#ifdef SIMBA_WITH_CUDA
  if (lead.is_cuda()) {
    const torch::stable::accelerator::DeviceGuard guard(lead.get_device_index());
    check_cuda(check, cuda(current_stream(lead.get_device_index())), lead.get_device_index());
    return;
  }
#endif
  cpu();
}

}  // namespace simba::ops
