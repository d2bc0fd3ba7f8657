// First kernel: what a chunk does to the state that enters it, to gradients that enter it from
// behind, and the states before its tiles, all as if h were zero at its start. With P_t the product
// of exp(dt A) up to step t, which is exp of A times the sum of dt:
//   h after the chunk = states + P h before it
//   gradient of h before it = adjoints + P (gradient of h after it),   adjoints = sum of P_t C_t
//   dy_t
// Forward in time only, one exponential per (step, channel, state). Tiles take turns in two places
// of shared memory, so that one barrier a tile is enough.
#pragma once

#include "kernels/selective_scan_backward/scan_backward_stage.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kSummariesBlocks = 5;  // of a multiprocessor

template <typename T>
struct SummariesMemory {
  TileInputs inputs[2];
  Fetched<T> fetched;
  ChannelConstants constants;
};

// A lane's states, and the sums of dt of its channels.
struct LaneSummary {
  float a[kLaneChannels][kLaneStates];  // A log2(e)
  float h[kLaneChannels][kLaneStates];
  float product[kLaneChannels][kLaneStates];
  float adjoint[kLaneChannels][kLaneStates];
  float delta[kLaneChannels];

  __device__ void step(const Lane& lane, int t, const TileInputs& inputs) {
    float b[kLaneStates], c[kLaneStates];
    float dt[kLaneChannels], dt_u[kLaneChannels], dy[kLaneChannels];
    inputs.B.get(t, lane, b);
    inputs.C.get(t, lane, c);
    inputs.steps.get(t, lane, dt, dt_u);
    inputs.dy.get(t, lane, dy);
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
      delta[j] += dt[j];
#pragma unroll
      for (int n = 0; n < kLaneStates; ++n) {
        const float decay = fast_exp2(dt[j] * a[j][n]);
        h[j][n] = fmaf(decay, h[j][n], dt_u[j] * b[n]);
        product[j][n] *= decay;
        adjoint[j][n] = fmaf(product[j][n], c[n] * dy[j], adjoint[j][n]);
      }
    }
  }

  __device__ void store_delta(const Lane& lane, float* to) const {
    // Lanes of one pair of channels hold the same sums.
    if (lane.group() == 0) {
      *reinterpret_cast<float2*>(to + lane.channel(0)) = make_float2(delta[0], delta[1]);
    }
  }
};

template <typename T>
__global__ void __launch_bounds__(kThreads, kSummariesBlocks)
    summaries_kernel(SelectiveScanBackwardParams<T> params, Chunks chunks, Scratch scratch,
                     Slice slice) {
  __shared__ SummariesMemory<T> memory;
  const std::int64_t slot = blockIdx.x / slice.blocks, own = blockIdx.x % slice.blocks;
  const Chunk chunk = chunks[slot];
  if (!chunk.exists) return;
  const std::int64_t block = slice.first_block + own, tiles = chunks.steps / kTileSteps;
  const Lane lane(threadIdx.x);
  Stage<T> stage(params, params.sequences.batch(chunk.sequence), block, chunk.begin);
  stage.fetch(chunk.end, 1, memory.fetched);
  memory.constants.load(params, block);

  LaneSummary summary = {};
  load_decays(params, block, lane, summary.a);
#pragma unroll
  for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
    for (int n = 0; n < kLaneStates; ++n) summary.product[j][n] = 1;
  }
  __syncthreads();

  const int count = static_cast<int>((chunk.end - chunk.begin + kTileSteps - 1) / kTileSteps);
  const int thread_steps = static_cast<int>(chunk.end - chunk.begin) - stage.step;
  for (int i = 0; i < count; ++i) {
    TileInputs& inputs = memory.inputs[i % 2];
    Slopes unused;
    const bool exists = i * kTileSteps < thread_steps && stage.has_channel;
    stage.template put<false>(memory.fetched, exists, memory.constants, inputs, unused);
    if (i + 1 < count) stage.fetch(chunk.end, 1, memory.fetched);
    if (i > 0) {
      const std::int64_t tile = (slot * tiles + i) * slice.blocks + own;
      BlockStates::store(summary.h, scratch.tile_states + tile * kBlockStates);
      summary.store_delta(lane, scratch.tile_delta + tile * kBlockChannels);
    }
    __syncthreads();
#pragma unroll
    for (int t = 0; t < kTileSteps; ++t) summary.step(lane, t, inputs);
  }
  const std::int64_t place = slot * slice.blocks + own;
  BlockStates::store(summary.h, scratch.states + place * kBlockStates);
  BlockStates::store(summary.adjoint, scratch.adjoints + place * kBlockStates);
  summary.store_delta(lane, scratch.delta + place * kBlockChannels);
}

}  // namespace simba::kernels::scan_backward
