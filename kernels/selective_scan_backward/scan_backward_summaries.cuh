// First kernel: what a chunk does to the state that enters it, to gradients that enter it from
// behind, and the states before its tiles, all as if h were zero at its start. With P_t the product
// of exp(dt A) up to step t, which is exp of A times the sum of dt:
//   h after the chunk = states + P h before it
//   gradient of h before it = adjoints + P (gradient of h after it),   adjoints = sum of P_t C_t
//   dy_t
// Forward in time only, one exponential per (step, channel, state). Shared memory: 10 KiB.
#pragma once

#include "kernels/selective_scan_backward/scan_backward_stage.cuh"

namespace simba::kernels::scan_backward {

template <typename T>
__global__ void __launch_bounds__(kThreads, 5)
    summaries_kernel(SelectiveScanBackwardParams<T> params, Chunks chunks, Scratch scratch,
                     Slice slice) {
  __shared__ StagedInputs inputs;
  const std::int64_t slot = blockIdx.x / slice.blocks, own = blockIdx.x % slice.blocks;
  const Chunk chunk = chunks[slot];
  if (!chunk.exists) return;
  const std::int64_t block = slice.first_block + own, tiles = chunks.steps / kTileSteps;
  const Lane lane;
  Stage<T> stage(params, params.sequences.batch(chunk.sequence), block, chunk.begin);

  float a[kLaneChannels][kLaneStates], h[kLaneChannels][kLaneStates] = {};
  float product[kLaneChannels][kLaneStates], adjoint[kLaneChannels][kLaneStates] = {};
  float delta[kLaneChannels] = {};
  load_decays(params, block, lane, a);
#pragma unroll
  for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
    for (int i = 0; i < kLaneStates; ++i) product[j][i] = 1;
  }
  const auto store_delta = [&](float* to) {
    // Lanes of one pair of channels hold the same sums.
    if (lane.group() == 0) {
      *reinterpret_cast<float2*>(to + lane.channel(0)) = make_float2(delta[0], delta[1]);
    }
  };

  for (std::int64_t i = 0; chunk.begin + i * kTileSteps < chunk.end; ++i) {
    if (i > 0) {
      const std::int64_t tile = (slot * tiles + i) * slice.blocks + own;
      BlockStates::store(h, scratch.tile_states + tile * kBlockStates);
      store_delta(scratch.tile_delta + tile * kBlockChannels);
    }
    float unused[2][kStageChannels];
    stage.template tile<false>(chunk.end, inputs, unused[0], unused[1]);
    stage.move(1);
    __syncthreads();
#pragma unroll
    for (int t = 0; t < kTileSteps; ++t) {
      float b[kLaneStates], c[kLaneStates];
      inputs.B.get(t, lane, b);
      inputs.C.get(t, lane, c);
#pragma unroll
      for (int j = 0; j < kLaneChannels; ++j) {
        const int channel = lane.channel(j);
        const float dt = inputs.dt.values[t][channel], dt_u = inputs.dt_u.values[t][channel];
        const float dy = inputs.dy.values[t][channel];
        delta[j] += dt;
#pragma unroll
        for (int n = 0; n < kLaneStates; ++n) {
          const float decay = fast_exp2(dt * a[j][n]);
          h[j][n] = fmaf(decay, h[j][n], dt_u * b[n]);
          product[j][n] *= decay;
          adjoint[j][n] = fmaf(product[j][n], c[n] * dy, adjoint[j][n]);
        }
      }
    }
    __syncthreads();
  }
  const std::int64_t place = slot * slice.blocks + own;
  BlockStates::store(h, scratch.states + place * kBlockStates);
  BlockStates::store(adjoint, scratch.adjoints + place * kBlockStates);
  store_delta(scratch.delta + place * kBlockChannels);
}

}  // namespace simba::kernels::scan_backward
