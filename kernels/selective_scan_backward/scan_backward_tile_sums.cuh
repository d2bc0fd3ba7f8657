// Sums over the lanes of a warp, for each step of a tile. Shuffles halve what a lane holds
// (scan_backward_chunks.cuh) until two partial sums of each are left, in lanes that differ in one
// bit; these lie in shared memory side by side, in different banks, and whoever reads them adds
// them.
#pragma once

#include "kernels/selective_scan_backward/scan_backward_tile_inputs.cuh"

namespace simba::kernels::scan_backward {

// Of one quantity over states, per channel. The partial sums are of lanes that differ in bit 0.
struct SumsOverStates {
  float values[kTileSteps][2][kBlockChannels];

  __device__ static int place(int partial, int channel) { return channel ^ (partial * 16); }

  // One value per channel of the lane.
  __device__ void put(int step, const Lane& lane, const float (&sums)[kLaneChannels]) {
    const int partial = lane.lane & 1;
    values[step][partial][place(partial, lane.channel(0))] =
        sums[0] + __shfl_xor_sync(kAllLanes, sums[1], 4);
  }
  __device__ void get(int step, int four, float (&sums)[kStageChannels]) const {
    float second[kStageChannels];
    const int channel = four * kStageChannels;
    take_quad(*reinterpret_cast<const float4*>(&values[step][0][place(0, channel)]), sums);
    take_quad(*reinterpret_cast<const float4*>(&values[step][1][place(1, channel)]), second);
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) sums[i] += second[i];
  }
};

// Of dB and dC over channels, per state. The partial sums are of warps and of lanes that differ in
// bit 1.
struct SumsOverChannels {
  static constexpr int kPartials = 2 * kWarps;
  static constexpr int kValues = 2 * kStates;  // of dB, then of dC
  float values[kTileSteps][kPartials][kValues];

  __device__ static int place(int partial, int value) { return value ^ (partial % 2 * kStates); }

  // One value per state of the lane; `which` is 0 for dB, 1 for dC.
  __device__ void put(int step, const Lane& lane, int which, float (&sums)[kLaneStates]) {
#pragma unroll
    for (int n = 0; n < kLaneStates; n += 2) {
      sums[n] += __shfl_xor_sync(kAllLanes, sums[n + 1], 8);
    }
    sums[0] += __shfl_xor_sync(kAllLanes, sums[2], 16);
    const int partial = lane.warp * 2 + (lane.lane >> 1 & 1);
    values[step][partial][place(partial, which * kStates + lane.state(0))] = sums[0];
  }
  // Two neighbouring values.
  __device__ float2 get(int step, int value) const {
    float2 sum = make_float2(0, 0);
#pragma unroll
    for (int partial = 0; partial < kPartials; ++partial) {
      const float2 share =
          *reinterpret_cast<const float2*>(&values[step][partial][place(partial, value)]);
      sum.x += share.x;
      sum.y += share.y;
    }
    return sum;
  }
};

}  // namespace simba::kernels::scan_backward
