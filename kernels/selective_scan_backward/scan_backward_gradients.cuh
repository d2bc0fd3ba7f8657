// Third kernel: the gradients of one chunk and 64 channels, tile by tile from its end. In a tile
// each lane runs its states forward, leaving them in shared memory before every step, and then back
// with their gradients g. Sums over states (y, those of d(dt) and du) are taken over the 4 lanes of
// a pair of channels, and those over channels (dB, dC) over the 8 pairs of a warp; both in
// shuffles, whose number halves at each exchange (scan_backward_chunks.cuh). Shared memory, 52 KiB,
// so that 4 blocks share a multiprocessor: h before each step 32, inputs 10, sums over states 6,
// shares of dB and dC 4; the slopes stay in registers.
#pragma once

#include "kernels/selective_scan_backward/scan_backward_stage.cuh"

namespace simba::kernels::scan_backward {

struct GradientsMemory {
  float4 h[kTileSteps][kLaneChannels][kThreads];
  StagedInputs inputs;
  StagedRows sum_a, sum_b, y;                     // over states: A g e h, B g, C h
  float shares[kTileSteps][kWarps][2 * kStates];  // of dB, then of dC
};

// A lane's states and what it adds up over the chunk.
struct LaneGradients {
  float a[kLaneChannels][kLaneStates];  // A log2(e)
  float h[kLaneChannels][kLaneStates];  // after the step at hand
  float g[kLaneChannels][kLaneStates];  // gradient of h, what later steps give it
  float grad_a[kLaneChannels][kLaneStates];

  // h through the tile.
  __device__ void forward(const Lane& lane, GradientsMemory& memory) {
#pragma unroll
    for (int t = 0; t < kTileSteps; ++t) {
      float b[kLaneStates];
      memory.inputs.B.get(t, lane, b);
#pragma unroll
      for (int j = 0; j < kLaneChannels; ++j) {
        memory.h[t][j][threadIdx.x] = make_float4(h[j][0], h[j][1], h[j][2], h[j][3]);
        const float dt = memory.inputs.dt.values[t][lane.channel(j)];
        const float dt_u = memory.inputs.dt_u.values[t][lane.channel(j)];
#pragma unroll
        for (int n = 0; n < kLaneStates; ++n) {
          h[j][n] = fmaf(fast_exp2(dt * a[j][n]), h[j][n], dt_u * b[n]);
        }
      }
    }
  }

  // Step t backwards. Its sums go to memory.
  __device__ void back(const Lane& lane, int t, GradientsMemory& memory) {
    float b[kLaneStates], c[kLaneStates], grad_b[kLaneStates], grad_c[kLaneStates];
    float sum_a[kLaneChannels], sum_b[kLaneChannels], y[kLaneChannels];
    memory.inputs.B.get(t, lane, b);
    memory.inputs.C.get(t, lane, c);
#pragma unroll
    for (int n = 0; n < kLaneStates; ++n) grad_b[n] = grad_c[n] = 0;
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
      const int channel = lane.channel(j);
      const float dt = memory.inputs.dt.values[t][channel];
      const float dt_u = memory.inputs.dt_u.values[t][channel];
      const float dy = memory.inputs.dy.values[t][channel];
      const float4 quad = memory.h[t][j][threadIdx.x];
      const float before[kLaneStates] = {quad.x, quad.y, quad.z, quad.w};
      sum_a[j] = sum_b[j] = y[j] = 0;
#pragma unroll
      for (int n = 0; n < kLaneStates; ++n) {
        const float grad = fmaf(c[n], dy, g[j][n]);
        sum_b[j] = fmaf(b[n], grad, sum_b[j]);
        y[j] = fmaf(c[n], h[j][n], y[j]);
        grad_b[n] = fmaf(grad, dt_u, grad_b[n]);
        grad_c[n] = fmaf(h[j][n], dy, grad_c[n]);
        g[j][n] = grad * fast_exp2(dt * a[j][n]);
        const float product = g[j][n] * before[n];
        sum_a[j] = fmaf(a[j][n], product, sum_a[j]);
        grad_a[j][n] = fmaf(dt, product, grad_a[j][n]);
        h[j][n] = before[n];
      }
    }
    store_over_states(lane, t, sum_a, sum_b, y, memory);
    store_over_channels(lane, t, grad_b, grad_c, memory);
  }

  __device__ static void store_over_states(const Lane& lane, int t, const float (&sum_a)[2],
                                           const float (&sum_b)[2], const float (&y)[2],
                                           GradientsMemory& memory) {
    // Lane bit 0 keeps one of the two channels; then bit 1 keeps one of the first two sums.
    const float own_a = sum_a[0] + __shfl_xor_sync(kAllLanes, sum_a[1], 1);
    const float own_b = sum_b[0] + __shfl_xor_sync(kAllLanes, sum_b[1], 1);
    float own_y = y[0] + __shfl_xor_sync(kAllLanes, y[1], 1);
    const bool second = lane.lane & 2;
    float kept = second ? own_b : own_a;
    kept += __shfl_xor_sync(kAllLanes, second ? own_a : own_b, 2);
    own_y += __shfl_xor_sync(kAllLanes, own_y, 2);
    const int channel = lane.channel(0);
    (second ? memory.sum_b : memory.sum_a).values[t][channel] = kept;
    if (!second) memory.y.values[t][channel] = own_y;
  }

  __device__ static void store_over_channels(const Lane& lane, int t, float (&grad_b)[4],
                                             float (&grad_c)[4], GradientsMemory& memory) {
    // Lane bits 2 and 3 keep one of four states, bit 4 one of dB and dC.
#pragma unroll
    for (int n = 0; n < kLaneStates; n += 2) {
      grad_b[n] += __shfl_xor_sync(kAllLanes, grad_b[n + 1], 4);
      grad_c[n] += __shfl_xor_sync(kAllLanes, grad_c[n + 1], 4);
    }
    grad_b[0] += __shfl_xor_sync(kAllLanes, grad_b[2], 8);
    grad_c[0] += __shfl_xor_sync(kAllLanes, grad_c[2], 8);
    const bool second = lane.lane & 16;
    float kept = second ? grad_c[0] : grad_b[0];
    kept += __shfl_xor_sync(kAllLanes, second ? grad_b[0] : grad_c[0], 16);
    memory.shares[t][lane.warp][(second ? kStates : 0) + lane.state(0)] = kept;
  }
};

// du, d delta and dz of this thread's four channels of one step, and its part of dD and d bias.
template <typename T>
__device__ void write_tile(const Stage<T>& stage, bool has_step, const GradientsMemory& memory,
                           const float (&skip)[kStageChannels],
                           const float (&slope)[kStageChannels],
                           const float (&z_slope)[kStageChannels], float (&grad_d)[kStageChannels],
                           float (&grad_bias)[kStageChannels]) {
  const SelectiveScanBackwardParams<T>& params = stage.params;
  if (!has_step || !stage.has_channel) return;
  const std::int64_t position = stage.position;
  float u[kStageChannels], dt[kStageChannels], dy[kStageChannels];
  float sum_a[kStageChannels], sum_b[kStageChannels], y[kStageChannels];
  Stage<T>::load(stage.u, true, u);
  memory.inputs.dt.get(stage.step, stage.column, dt);
  memory.inputs.dy.get(stage.step, stage.column, dy);
  memory.sum_a.get(stage.step, stage.column, sum_a);
  memory.sum_b.get(stage.step, stage.column, sum_b);
  memory.y.get(stage.step, stage.column, y);
  float grad_u[kStageChannels], grad_delta[kStageChannels], grad_z[kStageChannels];
#pragma unroll
  for (int i = 0; i < kStageChannels; ++i) {
    grad_u[i] = fmaf(dt[i], sum_b[i], skip[i] * dy[i]);
    // The sum over A is in units of log2(e).
    grad_delta[i] = fmaf(u[i], sum_b[i], sum_a[i] * (1 / kLog2E<float>)) * slope[i];
    grad_z[i] = z_slope[i] * fmaf(skip[i], u[i], y[i]);
    grad_d[i] = fmaf(dy[i], u[i], grad_d[i]);
    grad_bias[i] += grad_delta[i];
  }
  const auto store = [&](const Rows<T>& rows, const float(&values)[kStageChannels]) {
    store_packet(pack<T>(values), rows.row(stage.batch, position) + stage.channel);
  };
  store(params.grad_u, grad_u);
  store(params.grad_delta, grad_delta);
  if (params.z) store(params.grad_z, grad_z);
}

// Sums of the threads of all steps, in their order, for the block's channels.
__device__ inline void store_over_steps(StagedRows& memory, int step, int column,
                                        const float (&value)[kStageChannels], float* to) {
  __syncthreads();
  memory.put(step, column, value);
  __syncthreads();
  if (threadIdx.x < kBlockChannels) {
    float sum = 0;
#pragma unroll
    for (int t = 0; t < kTileSteps; ++t) sum += memory.values[t][threadIdx.x];
    to[threadIdx.x] = sum;
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads, 4)
    gradients_kernel(SelectiveScanBackwardParams<T> params, Chunks chunks, Scratch scratch,
                     Slice slice) {
  extern __shared__ float4 dynamic[];
  GradientsMemory& memory = *reinterpret_cast<GradientsMemory*>(dynamic);
  const std::int64_t slot = blockIdx.x / slice.blocks, own = blockIdx.x % slice.blocks;
  const Chunk chunk = chunks[slot];
  if (!chunk.exists) return;
  const std::int64_t block = slice.first_block + own, tiles = chunks.steps / kTileSteps;
  const std::int64_t place = slot * slice.blocks + own;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const std::int64_t row = batch * params.sequences.length;
  const Lane lane;
  std::int64_t i = (chunk.end - chunk.begin - 1) / kTileSteps;
  Stage<T> stage(params, batch, block, chunk.begin + i * kTileSteps);
  float skip[kStageChannels], grad_d[kStageChannels] = {}, grad_bias[kStageChannels] = {};
#pragma unroll
  for (int i = 0; i < kStageChannels; ++i) {
    skip[i] = stage.has_channel && params.D ? params.D[stage.channel + i] : 0;
  }
  LaneGradients states;
  load_decays(params, block, lane, states.a);
  BlockStates::load(scratch.adjoints + place * kBlockStates, states.g);
#pragma unroll
  for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
    for (int n = 0; n < kLaneStates; ++n) states.grad_a[j][n] = 0;
  }

  for (; i >= 0; --i) {
    float slope[kStageChannels], z_slope[kStageChannels];
    stage.template tile<true>(chunk.end, memory.inputs, slope, z_slope);
    // The state before the tile: that from a zero start, and what is left of that before the chunk.
    BlockStates::load(scratch.states + place * kBlockStates, states.h);
    if (i > 0) {
      const std::int64_t tile = (slot * tiles + i) * slice.blocks + own;
      float local[kLaneChannels][kLaneStates];
      BlockStates::load(scratch.tile_states + tile * kBlockStates, local);
#pragma unroll
      for (int j = 0; j < kLaneChannels; ++j) {
        const float delta = scratch.tile_delta[tile * kBlockChannels + lane.channel(j)];
#pragma unroll
        for (int n = 0; n < kLaneStates; ++n) {
          states.h[j][n] = fmaf(fast_exp2(delta * states.a[j][n]), states.h[j][n], local[j][n]);
        }
      }
    }
    __syncthreads();
    states.forward(lane, memory);
#pragma unroll
    for (int t = kTileSteps - 1; t >= 0; --t) states.back(lane, t, memory);
    __syncthreads();
    const bool has_step = stage.position < chunk.end;
    write_tile(stage, has_step, memory, skip, slope, z_slope, grad_d, grad_bias);
    // This thread's step again, and two of the 32 sums over the warps' channels.
    if (has_step) {
      const int which = threadIdx.x % kStates * 2;
      float2 sum = make_float2(0, 0);
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        const float2 share = *reinterpret_cast<const float2*>(&memory.shares[stage.step][w][which]);
        sum.x += share.x;
        sum.y += share.y;
      }
      const std::int64_t token = row + stage.position;
      const std::int64_t tokens = params.batch * params.sequences.length;
      *reinterpret_cast<float2*>(scratch.shares_BC + (block * tokens + token) * 2 * kStates +
                                 which) = sum;
    }
    stage.move(-1);
    __syncthreads();
  }

  float* shares = scratch.shares_A + place * kBlockStates;
#pragma unroll
  for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
    for (int n = 0; n < kLaneStates; ++n) {
      shares[lane.channel(j) * kStates + lane.state(n)] = states.grad_a[j][n];
    }
  }
  store_over_steps(memory.y, stage.step, stage.column, grad_d,
                   scratch.shares_D + place * kBlockChannels);
  store_over_steps(memory.y, stage.step, stage.column, grad_bias,
                   scratch.shares_bias + place * kBlockChannels);
}

}  // namespace simba::kernels::scan_backward
