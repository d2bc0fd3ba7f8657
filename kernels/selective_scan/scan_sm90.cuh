// Selective scan on Hopper: as scan_states.cuh and scan_elements.cuh say, one block per sequence
// and channel block.
#pragma once

#include "kernels/selective_scan/scan_elements.cuh"
#include "kernels/selective_scan/scan_states.cuh"

namespace simba::kernels {

// AnyRows<...> where the inputs are not as usual.
template <typename T, typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    selective_scan_sm90_kernel(const __grid_constant__ SelectiveScanParams<T> params) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(16) unsigned char memory[];
  ScanShared<T, Shape>& shared = *reinterpret_cast<ScanShared<T, Shape>*>(memory);

  const std::int64_t channel_blocks = (params.channels + Shape::kChannels - 1) / Shape::kChannels;
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  const std::int64_t first_channel = blockIdx.x % channel_blocks * Shape::kChannels;
  const std::int64_t begin = params.sequences.begin(sequence);
  const int length = static_cast<int>(params.sequences.end(sequence) - begin);
  const int tiles = (length + Shape::kTile - 1) / Shape::kTile;

  if (threadIdx.x == 0) {
    for (int stage = 0; stage < Shape::kStages; ++stage) {
      shared.filled[stage].init(Shape::kElementWarps);
      shared.scanned[stage].init(Shape::kStateWarps);
    }
    for (int group = 0; group < Shape::kGroups; ++group) {
      for (Barrier& sent : shared.sent[group]) sent.init(1);
    }
  }
  for (int i = threadIdx.x; i < Shape::kChannels; i += Shape::kThreads) {
    const std::int64_t channel = first_channel + i;
    const bool exists = channel < params.channels;
    shared.skip[i] = exists && params.D ? params.D[channel] : 0;
    shared.bias[i] = exists && params.delta_bias ? params.delta_bias[channel] : 0;
  }
  __syncthreads();

  const int warp = threadIdx.x / kWarpSize;
  if (warp < Shape::kStateWarps) {
    StateLane<T, Shape>(params, shared, warp, sequence, first_channel).run(tiles);
  } else {
    const int element_warp = warp - Shape::kStateWarps;
    const int set = element_warp / Shape::kElementWarps;
    ElementLane<T, Shape> lane(params, shared, set, element_warp % Shape::kElementWarps,
                               params.sequences.batch(sequence), begin, length, first_channel);
    run_elements(lane, shared, set, tiles);
  }
#endif
}

}  // namespace simba::kernels
