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

template <typename T>
struct Stage {
  const SelectiveScanBackwardParams<T>& params;
  std::int64_t batch;
  int step, column;      // of this thread, within tile and block
  std::int64_t channel;  // of its first
  bool has_channel;
  float bias[kStageChannels];
  // At this thread's step of the tile at hand.
  std::int64_t position;
  const T *u, *delta, *grad_out, *z, *B, *C;

  // The first tile begins at `start`.
  __device__ Stage(const SelectiveScanBackwardParams<T>& p, std::int64_t b, std::int64_t block,
                   std::int64_t start)
      : params(p),
        batch(b),
        step(threadIdx.x / (kBlockChannels / kStageChannels)),
        column(threadIdx.x % (kBlockChannels / kStageChannels) * kStageChannels),
        channel(block * kBlockChannels + column),
        has_channel(channel < p.channels),
        position(start + step),
        u(p.u.row(b, position) + channel),
        delta(p.delta.row(b, position) + channel),
        grad_out(p.grad_out.row(b, position) + channel),
        z(p.z.row(b, position) + channel),
        B(p.B.row(b, position) + threadIdx.x % kStates),
        C(p.C.row(b, position) + threadIdx.x % kStates) {
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) {
      bias[i] = has_channel && p.delta_bias ? p.delta_bias[channel + i] : 0;
    }
  }

  // On to the tile after (1) or before (-1).
  __device__ void move(int tiles) {
    const int steps = tiles * kTileSteps;
    position += steps;
    u += steps * params.u.row_stride;
    delta += steps * params.delta.row_stride;
    grad_out += steps * params.grad_out.row_stride;
    z += steps * params.z.row_stride;
    B += steps * params.B.row_stride;
    C += steps * params.C.row_stride;
  }

  __device__ static void load(const T* from, bool exists, float (&values)[kStageChannels]) {
    Packet<T, kStageChannels> packet = {};
    if (exists) packet = load_packet<kStageChannels>(from);
    unpack(packet, values);
  }

  // Stages the tile at hand; `end` is the chunk's. With kSlopes it leaves the slope of dt, and with
  // a gate grad_out silu'(z), of this thread's elements.
  template <bool kSlopes>
  __device__ void tile(std::int64_t end, StagedInputs& to, float (&slope)[kStageChannels],
                       float (&z_slope)[kStageChannels]) const {
    const bool has_step = position < end, exists = has_step && has_channel;
    float u_values[kStageChannels], dt[kStageChannels], dy[kStageChannels], gate[kStageChannels];
    load(u, exists, u_values);
    load(delta, exists, dt);
    load(grad_out, exists, dy);
    load(z, exists && params.z, gate);
    const float b = has_step ? to_accumulate(*B) : 0, c = has_step ? to_accumulate(*C) : 0;
    float dt_u[kStageChannels];
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) {
      dt[i] += bias[i];
      if constexpr (kSlopes) slope[i] = 1;
      if constexpr (kSlopes) z_slope[i] = 0;
    }
    if (params.delta_softplus) {
#pragma unroll
      for (int i = 0; i < kStageChannels; ++i) {
        const float x = dt[i], e = fast_exp_minus_abs(x);
        dt[i] = softplus_of_exponential(x, e);
        if constexpr (kSlopes) slope[i] = (x < 0 ? e : 1) * fast_reciprocal(1 + e);
      }
    }
    if (params.z) {
#pragma unroll
      for (int i = 0; i < kStageChannels; ++i) {
        const float s = fast_sigmoid(gate[i]);
        if constexpr (kSlopes) z_slope[i] = dy[i] * silu_slope_from(gate[i], s);
        dy[i] *= gate[i] * s;
      }
    }
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) {
      if (!exists) dt[i] = 0;
      dt_u[i] = dt[i] * u_values[i];
    }
    const int state = threadIdx.x % kStates;
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
