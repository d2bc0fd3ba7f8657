// Selective scan of one or few sequences, N = 16: one block of channels per multiprocessor, whose
// few warps must hide their own waits. Scan warps run through whole tiles without a barrier or a
// branch, so that the compiler can lay exponentials, sums and loads side by side; element warps do
// what comes once per step and channel (scan_lone_states.cuh, scan_lone_elements.cuh).
#pragma once

#include "kernels/selective_scan/scan_lone_elements.cuh"
#include "kernels/selective_scan/scan_lone_states.cuh"

namespace simba::kernels {

// kGated: with z.
template <typename T, typename Shape, bool kGated>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    selective_scan_lone_kernel(const __grid_constant__ SelectiveScanParams<T> params) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(16) unsigned char memory[];
  LoneShared<T, Shape>& shared = *reinterpret_cast<LoneShared<T, Shape>*>(memory);
  const std::int64_t channel_blocks = (params.channels + Shape::kChannels - 1) / Shape::kChannels;
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  const std::int64_t first_channel = blockIdx.x % channel_blocks * Shape::kChannels;
  const std::int64_t begin = params.sequences.begin(sequence);
  const int length = static_cast<int>(params.sequences.end(sequence) - begin);
  const int tiles = (length + Shape::kTile - 1) / Shape::kTile;

  if (threadIdx.x == 0) {
    for (int stage = 0; stage < Shape::kStages; ++stage) {
      shared.filled[stage].init(Shape::kElementWarps);
      shared.scanned[stage].init(Shape::kScanWarps);
    }
  }
  __syncthreads();

  const int warp = threadIdx.x / kWarpSize;
  if (warp < Shape::kScanWarps) {
    LoneStates<T, Shape, kGated>(params, shared, warp, sequence, first_channel).run(tiles);
    return;
  }
  if (Shape::kUneven && warp % 4 < 2) return;
  const int element_warp =
      Shape::kUneven ? (warp - Shape::kScanWarps) / 4 * 2 + warp % 2 : warp - Shape::kScanWarps;
  const int thread = element_warp * kWarpSize + threadIdx.x % kWarpSize;
  LoneElements<T, Shape, kGated>(params, shared, thread, params.sequences.batch(sequence), begin,
                                 length, first_channel)
      .run(tiles);
#endif
}

}  // namespace simba::kernels
