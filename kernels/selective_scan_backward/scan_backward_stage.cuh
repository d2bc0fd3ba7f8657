// A tile's inputs, from global to shared memory, by all threads of a block: each takes one step and
// four neighbouring channels, and one element of B and of C. What lies beyond the chunk or the
// channels becomes a step of dt = 0, which changes nothing.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/slopes.cuh"
#include "kernels/selective_scan_backward/scan_backward_chunks.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kStageChannels = 4;

// B or C, once for each state mask: copy m holds state n of a group of four at n ^ m. Copies of
// neighbouring masks lie in different banks.
struct StagedStates {
  float values[kTileSteps][kLaneStates][kStates];

  __device__ void put(int step, int state, float value) {
#pragma unroll
    for (int m = 0; m < kLaneStates; ++m) values[step][m][state ^ m] = value;
  }
  __device__ void get(int step, const Lane& lane, float (&to)[kLaneStates]) const {
    const float4 quad = *reinterpret_cast<const float4*>(
        &values[step][lane.state_mask()][lane.group() * kLaneStates]);
    to[0] = quad.x;
    to[1] = quad.y;
    to[2] = quad.z;
    to[3] = quad.w;
  }
};

// (step, channel) of one quantity.
struct StagedRows {
  float values[kTileSteps][kBlockChannels];

  __device__ void put(int step, int channel, const float (&from)[kStageChannels]) {
    *reinterpret_cast<float4*>(&values[step][channel]) =
        make_float4(from[0], from[1], from[2], from[3]);
  }
  __device__ void get(int step, int channel, float (&to)[kStageChannels]) const {
    const float4 quad = *reinterpret_cast<const float4*>(&values[step][channel]);
    to[0] = quad.x;
    to[1] = quad.y;
    to[2] = quad.z;
    to[3] = quad.w;
  }
};

struct StagedInputs {
  StagedStates B, C;
  StagedRows dt, dt_u, dy;
};

// softplus(x) and its slope, from one exponential.
__device__ inline void softplus_and_slope(float x, float& value, float& slope) {
  value = fast_softplus(x);
  const float e = fast_exp2(-kLog2E<float> * fabsf(x));
  const float r = fast_reciprocal(1 + e);
  slope = x < 0 ? e * r : r;
}

template <typename T>
struct Stage {
  const SelectiveScanBackwardParams<T>& params;
  std::int64_t batch;
  int step, column;      // of this thread, within tile and block
  std::int64_t channel;  // of its first
  bool has_channel;
  float bias[kStageChannels];

  __device__ Stage(const SelectiveScanBackwardParams<T>& p, std::int64_t b, std::int64_t block)
      : params(p),
        batch(b),
        step(threadIdx.x / (kBlockChannels / kStageChannels)),
        column(threadIdx.x % (kBlockChannels / kStageChannels) * kStageChannels),
        channel(block * kBlockChannels + column),
        has_channel(channel < p.channels) {
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) {
      bias[i] = has_channel && p.delta_bias ? p.delta_bias[channel + i] : 0;
    }
  }

  __device__ void load(const Rows<const T>& rows, std::int64_t position, bool exists,
                       float (&values)[kStageChannels]) const {
    Packet<T, kStageChannels> packet = {};
    if (exists) packet = load_packet<kStageChannels>(rows.row(batch, position) + channel);
    unpack(packet, values);
  }

  // Stages the tile that begins at `start`; `end` is the chunk's. Leaves the slope of dt, and with
  // a gate grad_out silu'(z), of this thread's elements.
  __device__ void tile(std::int64_t start, std::int64_t end, StagedInputs& to,
                       float (&slope)[kStageChannels], float (&z_slope)[kStageChannels]) const {
    const std::int64_t position = start + step;
    const bool has_step = position < end, exists = has_step && has_channel;
    float u[kStageChannels], dt[kStageChannels], dy[kStageChannels], z[kStageChannels];
    load(params.u, position, exists, u);
    load(params.delta, position, exists, dt);
    load(params.grad_out, position, exists, dy);
    load(params.z, position, exists && params.z, z);
    const int state = threadIdx.x % kStates;
    float b = 0, c = 0;
    if (has_step) {
      b = to_accumulate(params.B.row(batch, position)[state]);
      c = to_accumulate(params.C.row(batch, position)[state]);
    }
    float dt_u[kStageChannels];
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) {
      const float x = dt[i] + bias[i];
      dt[i] = x;
      slope[i] = 1;
      if (params.delta_softplus) softplus_and_slope(x, dt[i], slope[i]);
      if (!exists) dt[i] = 0;
      dt_u[i] = dt[i] * u[i];
      z_slope[i] = 0;
      if (params.z) {
        const float s = fast_sigmoid(z[i]);
        z_slope[i] = dy[i] * silu_slope_from(z[i], s);
        dy[i] *= z[i] * s;
      }
    }
    to.dt.put(step, column, dt);
    to.dt_u.put(step, column, dt_u);
    to.dy.put(step, column, dy);
    to.B.put(step, state, b);
    to.C.put(step, state, c);
  }
};

static_assert(kThreads == kTileSteps * kBlockChannels / kStageChannels);
static_assert(kThreads == kTileSteps * kStates);

// A times log2(e) of this lane, 0 beyond the channels.
template <typename T>
__device__ void load_decays(const SelectiveScanBackwardParams<T>& params, std::int64_t block,
                            const Lane& lane, float (&a)[kLaneChannels][kLaneStates]) {
#pragma unroll
  for (int j = 0; j < kLaneChannels; ++j) {
    const std::int64_t channel = block * kBlockChannels + lane.channel(j);
#pragma unroll
    for (int i = 0; i < kLaneStates; ++i) {
      a[j][i] = channel < params.channels
                    ? params.A[channel * kStates + lane.state(i)] * kLog2E<float>
                    : 0;
    }
  }
}

}  // namespace simba::kernels::scan_backward
