// Third kernel: the gradients of one chunk and 64 channels, tile by tile from its end. In a tile
// each lane runs its states forward and then back with their gradients (scan_backward_lane.cuh);
// then each thread finishes the four channels and one step that it staged. Registers are what a
// multiprocessor runs out of, with 3 blocks. Shared memory, 53 KiB with 16-bit T: fetched inputs 8,
// inputs in float 16, sums over states 12, over channels 8, what threads keep for themselves 8.
#pragma once

#include "kernels/selective_scan_backward/scan_backward_lane.cuh"
#include "kernels/selective_scan_backward/scan_backward_stage.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kGradientsBlocks = 3;  // of a multiprocessor

template <typename T>
struct GradientsMemory {
  TileInputs inputs;
  TileSums sums;
  Fetched<T> fetched[2];
  ChannelConstants constants;
  // Every thread's own: slopes of the tile at hand, shares of dD and d bias.
  float4 slope[kThreads], z_slope[kThreads], grad_d[kThreads], grad_bias[kThreads];
};

// du, d delta and dz of this thread's four channels of one step, and its part of dD and d bias.
template <typename T>
__device__ void write_tile(const Stage<T>& stage, std::int64_t batch, std::int64_t position,
                           const Fetched<T>& fetched, GradientsMemory<T>& memory) {
  const SelectiveScanBackwardParams<T>& params = stage.params;
  const int thread = threadIdx.x;
  float u[kStageChannels], dt[kStageChannels], dy[kStageChannels], skip[kStageChannels];
  float sum_a[kStageChannels], sum_b[kStageChannels], y[kStageChannels];
  float slope[kStageChannels], z_slope[kStageChannels];
  float grad_d[kStageChannels], grad_bias[kStageChannels];
  unpack(fetched.u[thread], u);
  memory.inputs.steps.get_dt(stage.step, stage.four, dt);
  memory.inputs.dy.get_dy(stage.step, stage.four, dy);
  memory.sums.a.get(stage.step, stage.four, sum_a);
  memory.sums.b.get(stage.step, stage.four, sum_b);
  memory.sums.y.get(stage.step, stage.four, y);
  take_quad(memory.constants.skip[stage.four], skip);
  take_quad(memory.slope[thread], slope);
  take_quad(memory.z_slope[thread], z_slope);
  take_quad(memory.grad_d[thread], grad_d);
  take_quad(memory.grad_bias[thread], grad_bias);
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
  memory.grad_d[thread] = make_quad(grad_d);
  memory.grad_bias[thread] = make_quad(grad_bias);
  const auto store = [&](const Rows<T>& rows, const float(&values)[kStageChannels]) {
    store_packet(pack<T>(values), rows.row(batch, position) + stage.channel);
  };
  store(params.grad_u, grad_u);
  store(params.grad_delta, grad_delta);
  if (params.z) store(params.grad_z, grad_z);
}

// The state before a tile: that from a zero start, and what is left of that before the chunk. Its
// parts are loaded before they are needed.
struct TileState {
  float before_chunk[kLaneChannels][kLaneStates], local[kLaneChannels][kLaneStates];
  float delta[kLaneChannels];

  __device__ void load(const Scratch& scratch, std::int64_t place, std::int64_t tile, bool first,
                       const Lane& lane) {
    BlockStates::load(scratch.states + place * kBlockStates, before_chunk);
    if (first) return;
    BlockStates::load(scratch.tile_states + tile * kBlockStates, local);
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
      delta[j] = scratch.tile_delta[tile * kBlockChannels + lane.channel(j)];
    }
  }
  __device__ void get(bool first, const float (&a)[kLaneChannels][kLaneStates],
                      float (&h)[kLaneChannels][kLaneStates]) const {
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
      for (int n = 0; n < kLaneStates; ++n) {
        h[j][n] = first ? before_chunk[j][n]
                        : fmaf(fast_exp2(delta[j] * a[j][n]), before_chunk[j][n], local[j][n]);
      }
    }
  }
};

// The block's channels' sums over the threads of all steps, in their order.
__device__ inline void store_over_steps(const float4* values, float* to) {
  if (threadIdx.x >= kBlockChannels) return;
  float sum = 0;
#pragma unroll
  for (int t = 0; t < kTileSteps; ++t) {
    sum += reinterpret_cast<const float*>(values + t * kFours)[threadIdx.x];
  }
  to[threadIdx.x] = sum;
}

template <typename T>
__global__ void __launch_bounds__(kThreads, kGradientsBlocks)
    gradients_kernel(SelectiveScanBackwardParams<T> params, Chunks chunks, Scratch scratch,
                     Slice slice) {
  extern __shared__ float4 dynamic[];
  GradientsMemory<T>& memory = *reinterpret_cast<GradientsMemory<T>*>(dynamic);
  const std::int64_t slot = blockIdx.x / slice.blocks, own = blockIdx.x % slice.blocks;
  const Chunk chunk = chunks[slot];
  if (!chunk.exists) return;
  const std::int64_t block = slice.first_block + own;
  const std::int64_t place = slot * slice.blocks + own;
  const std::int64_t first_tile = slot * (chunks.steps / kTileSteps);
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const Lane lane(threadIdx.x);
  const int steps = static_cast<int>(chunk.end - chunk.begin);
  int i = (steps - 1) / kTileSteps;
  Stage<T> stage(params, batch, block, chunk.begin + i * kTileSteps);
  stage.fetch(chunk.end, -1, memory.fetched[i % 2]);
  memory.constants.load(params, block);
  memory.grad_d[threadIdx.x] = memory.grad_bias[threadIdx.x] = make_float4(0, 0, 0, 0);
  LaneGradients states;
  load_decays(params, block, lane, states.a);
  BlockStates::load(scratch.adjoints + place * kBlockStates, states.g);
#pragma unroll
  for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
    for (int n = 0; n < kLaneStates; ++n) states.grad_a[j][n] = 0;
  }
  __syncthreads();

  for (; i >= 0; --i) {
    TileState before;
    before.load(scratch, place, (first_tile + i) * slice.blocks + own, i == 0, lane);
    const int step = i * kTileSteps + stage.step;
    const bool has_step = step < steps;
    Slopes slopes;
    stage.template put<true>(memory.fetched[i % 2], has_step && stage.has_channel, memory.constants,
                             memory.inputs, slopes);
    memory.slope[threadIdx.x] = make_quad(slopes.dt);
    memory.z_slope[threadIdx.x] = make_quad(slopes.z);
    if (i > 0) stage.fetch(chunk.end, -1, memory.fetched[(i - 1) % 2]);
    before.get(i == 0, states.a, states.h);
    __syncthreads();
    states.tile(lane, memory.inputs, memory.sums);
    __syncthreads();
    const std::int64_t position = chunk.begin + step;
    if (has_step && stage.has_channel) {
      write_tile(stage, batch, position, memory.fetched[i % 2], memory);
    }
    // This thread's step again, and two of the 32 sums over channels.
    if (has_step) {
      const int value = threadIdx.x % kStates * 2;
      const std::int64_t length = params.sequences.length, tokens = params.batch * length;
      const std::int64_t token = block * tokens + batch * length + position;
      *reinterpret_cast<float2*>(scratch.shares_BC + token * SumsOverChannels::kValues + value) =
          memory.sums.channels.get(stage.step, value);
    }
  }

  __syncthreads();
  const std::int64_t share = slot * slice.all_blocks + block;
  BlockStates::store(states.grad_a, scratch.shares_A + share * kBlockStates);
  store_over_steps(memory.grad_d, scratch.shares_D + share * kBlockChannels);
  store_over_steps(memory.grad_bias, scratch.shares_bias + share * kBlockChannels);
}

}  // namespace simba::kernels::scan_backward
