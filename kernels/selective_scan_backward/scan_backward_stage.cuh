// How a tile's inputs come from global to shared memory, by all threads of a block: each takes one
// step and four neighbouring channels, and one element of B and of C. It fetches them while the
// tile before is computed and then puts them into TileInputs. What lies beyond the chunk or the
// channels becomes a step of dt = 0, which changes nothing.
#pragma once

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/slopes.cuh"
#include "kernels/selective_scan_backward/scan_backward_tile_inputs.cuh"

namespace simba::kernels::scan_backward {

// What each thread has fetched for itself.
template <typename T>
struct Fetched {
  Packet<T, kStageChannels> u[kThreads], delta[kThreads], grad_out[kThreads], z[kThreads];
};

// Of a block's channels: delta_bias and D, 0 where there is none.
struct ChannelConstants {
  float4 bias[kFours], skip[kFours];

  template <typename T>
  __device__ void load(const SelectiveScanBackwardParams<T>& params, std::int64_t block) {
    const int channel = threadIdx.x % kBlockChannels;
    const std::int64_t d = block * kBlockChannels + channel;
    const bool second = threadIdx.x >= kBlockChannels;
    const float* from = second ? params.D : params.delta_bias;
    const float value = from && d < params.channels ? from[d] : 0;
    reinterpret_cast<float*>(second ? skip : bias)[channel] = value;
  }
};

static_assert(kThreads == 2 * kBlockChannels);

// Slopes of dt, and with a gate grad_out silu'(z), of a thread's elements.
struct Slopes {
  float dt[kStageChannels], z[kStageChannels];
};

template <typename T>
struct Stage {
  const SelectiveScanBackwardParams<T>& params;
  int step, four;        // of this thread, within tile and block
  std::int64_t channel;  // of its first
  bool has_channel;
  // At this thread's step of the tile to fetch.
  std::int64_t position;
  const T *u, *delta, *grad_out, *z, *B, *C;
  T next_B, next_C;

  // The first tile to fetch begins at `start`.
  __device__ Stage(const SelectiveScanBackwardParams<T>& p, std::int64_t batch, std::int64_t block,
                   std::int64_t start)
      : params(p),
        step(threadIdx.x / kFours),
        four(threadIdx.x % kFours),
        channel(block * kBlockChannels + four * kStageChannels),
        has_channel(channel < p.channels),
        position(start + step),
        u(p.u.row(batch, position) + channel),
        delta(p.delta.row(batch, position) + channel),
        grad_out(p.grad_out.row(batch, position) + channel),
        z(p.z.row(batch, position) + channel),
        B(p.B.row(batch, position) + threadIdx.x % kStates),
        C(p.C.row(batch, position) + threadIdx.x % kStates) {}

  // Begins to fetch a tile of the chunk that ends at `end`, and goes on to the tile after (1) or
  // before (-1).
  __device__ void fetch(std::int64_t end, int tiles, Fetched<T>& to) {
    const bool has_step = position < end, exists = has_step && has_channel;
    const int thread = threadIdx.x;
    copy(&to.u[thread], u, exists);
    copy(&to.delta[thread], delta, exists);
    copy(&to.grad_out[thread], grad_out, exists);
    if (params.z) copy(&to.z[thread], z, exists);
    close_async_copies();
    next_B = has_step ? *B : T{};
    next_C = has_step ? *C : T{};
    const int steps = tiles * kTileSteps;
    position += steps;
    u += steps * params.u.row_stride;
    delta += steps * params.delta.row_stride;
    grad_out += steps * params.grad_out.row_stride;
    z += steps * params.z.row_stride;
    B += steps * params.B.row_stride;
    C += steps * params.C.row_stride;
  }

  // Puts the tile fetched last into shared memory; `exists` tells of this thread's elements.
  template <bool kSlopes>
  __device__ void put(const Fetched<T>& fetched, bool exists, const ChannelConstants& constants,
                      TileInputs& to, Slopes& slopes) const {
    wait_for_async_copies<0>();
    float u_values[kStageChannels], dt[kStageChannels], dy[kStageChannels];
    float dt_u[kStageChannels], bias[kStageChannels];
    unpack(fetched.u[threadIdx.x], u_values);
    unpack(fetched.delta[threadIdx.x], dt);
    unpack(fetched.grad_out[threadIdx.x], dy);
    take_quad(constants.bias[four], bias);
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) dt[i] += bias[i];
    if (params.delta_softplus) {
#pragma unroll
      for (int i = 0; i < kStageChannels; ++i) {
        const float x = dt[i], e = fast_exp_minus_abs(x);
        dt[i] = softplus_of_exponential(x, e);
        if constexpr (kSlopes) slopes.dt[i] = (x < 0 ? e : 1) * fast_reciprocal(1 + e);
      }
    } else if constexpr (kSlopes) {
#pragma unroll
      for (int i = 0; i < kStageChannels; ++i) slopes.dt[i] = 1;
    }
    if (params.z) {
      float gate[kStageChannels];
      unpack(fetched.z[threadIdx.x], gate);
#pragma unroll
      for (int i = 0; i < kStageChannels; ++i) {
        const float s = fast_sigmoid(gate[i]);
        if constexpr (kSlopes) slopes.z[i] = dy[i] * silu_slope_from(gate[i], s);
        dy[i] *= gate[i] * s;
      }
    } else if constexpr (kSlopes) {
#pragma unroll
      for (int i = 0; i < kStageChannels; ++i) slopes.z[i] = 0;
    }
#pragma unroll
    for (int i = 0; i < kStageChannels; ++i) {
      if (!exists) dt[i] = 0;
      dt_u[i] = dt[i] * u_values[i];
    }
    to.steps.put(step, four, dt, dt_u);
    to.dy.put(step, four, dy);
    to.B.put(step, threadIdx.x % kStates, to_accumulate(next_B));
    to.C.put(step, threadIdx.x % kStates, to_accumulate(next_C));
  }

 private:
  __device__ static void copy(Packet<T, kStageChannels>* to, const T* from, bool exists) {
    if constexpr (sizeof(*to) == 16) {
      async_copy_16(to, from, exists);
    } else {
      async_copy_8(to, from, exists);
    }
  }
};

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
