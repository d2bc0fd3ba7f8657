// Selective scan, any device from sm_75, any N:
//   h_t = exp(dt_t A) h_{t-1} + dt_t B_t u_t,   y_t = C_t . h_t + D u_t
//
// One block of 128 threads walks one sequence for 32 channels; 4 neighbouring lanes share a channel
// and hold 4 states each. Time goes in tiles of 32 steps:
//   1. all threads stage dt_t and dt_t u_t (coalesced along channels), y_t starting as D u_t;
//   2. for every 16 states: B and C are staged, then each lane runs its 4 recurrences over the
//      tile; a step's partial y is summed over the 4 lanes and added to the tile;
//   3. all threads gate y_t and write it.
// Beyond 16 states the h of the 16 not being walked rests in last_state, so any N needs the same
// registers. exp(dt A) is exp2 of dt times A log2(e), rounded to Acc.
// Shared memory: 3 tiles of 32 x 32 and 2 of 32 x 16 Acc: 16 KiB for float, 32 KiB for double.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/selective_scan/selective_scan_paths.h"

namespace simba::kernels {
namespace {

constexpr int kChannels = 32;
constexpr int kLanes = 4;
constexpr int kLaneStates = 4;
constexpr int kStates = kLanes * kLaneStates;
constexpr int kThreads = kChannels * kLanes;
constexpr int kSteps = 32;

template <typename Acc>
struct Tile {
  Acc delta[kSteps][kChannels];
  Acc delta_u[kSteps][kChannels];
  Acc y[kSteps][kChannels];
  Acc B[kSteps][kStates];
  Acc C[kSteps][kStates];
};

// Rows of a tile that all threads together cover at once, and how often that makes a tile.
constexpr int kRowsAtOnce = kThreads / kChannels;
constexpr int kPasses = kSteps / kRowsAtOnce;

template <typename T, typename Acc>
__device__ void stage_inputs(const SelectiveScanParams<T>& params, Tile<Acc>& tile,
                             std::int64_t batch, std::int64_t start, int steps,
                             std::int64_t first_channel) {
  const int column = threadIdx.x % kChannels;
  const std::int64_t channel = first_channel + column;
  if (channel >= params.channels) return;
  Acc u[kPasses];
  Acc delta[kPasses];
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int t = pass * kRowsAtOnce + threadIdx.x / kChannels;
    const bool exists = t < steps;
    u[pass] = exists ? to_accumulate(params.u.row(batch, start + t)[channel]) : Acc(0);
    delta[pass] = exists ? to_accumulate(params.delta.row(batch, start + t)[channel]) : Acc(0);
  }
  const Acc bias = params.delta_bias ? params.delta_bias[channel] : Acc(0);
  const Acc skip = params.D ? params.D[channel] : Acc(0);
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int t = pass * kRowsAtOnce + threadIdx.x / kChannels;
    const Acc biased = delta[pass] + bias;
    const Acc dt = params.delta_softplus ? softplus(biased) : biased;
    tile.delta[t][column] = dt;
    tile.delta_u[t][column] = dt * u[pass];
    tile.y[t][column] = params.D ? skip * u[pass] : Acc(0);
  }
}

template <typename T, typename Acc>
__device__ void stage_states(const SelectiveScanParams<T>& params, Tile<Acc>& tile,
                             std::int64_t batch, std::int64_t start, int steps,
                             std::int64_t first_state) {
  const std::int64_t state = first_state + threadIdx.x % kStates;
  for (int t = threadIdx.x / kStates; t < steps; t += kThreads / kStates) {
    const bool exists = state < params.states;
    tile.B[t][threadIdx.x % kStates] =
        exists ? to_accumulate(params.B.row(batch, start + t)[state]) : Acc(0);
    tile.C[t][threadIdx.x % kStates] =
        exists ? to_accumulate(params.C.row(batch, start + t)[state]) : Acc(0);
  }
}

template <typename T, typename Acc>
__device__ void write_outputs(const SelectiveScanParams<T>& params, const Tile<Acc>& tile,
                              std::int64_t batch, std::int64_t start, int steps,
                              std::int64_t first_channel) {
  const int column = threadIdx.x % kChannels;
  const std::int64_t channel = first_channel + column;
  if (channel >= params.channels) return;
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int t = pass * kRowsAtOnce + threadIdx.x / kChannels;
    if (t < steps) {
      Acc y = tile.y[t][column];
      if (params.z) y *= silu(to_accumulate(params.z.row(batch, start + t)[channel]));
      params.out.row(batch, start + t)[channel] = round_to<T>(y);
    }
  }
}

// Runs this lane's states over the tile. A missing state (kAllExist false, count < kLaneStates)
// must not touch y: its zeros would turn an infinite input into NaN.
template <bool kAllExist, typename Acc>
__device__ void scan_tile(Tile<Acc>& tile, int steps, const Acc (&decay)[kLaneStates],
                          Acc (&h)[kLaneStates], int count) {
  const int column = threadIdx.x / kLanes;
  const int lane = threadIdx.x % kLanes;
#pragma unroll 4
  for (int t = 0; t < steps; ++t) {
    const Acc dt = tile.delta[t][column];
    const Acc dt_u = tile.delta_u[t][column];
    Acc y = 0;
#pragma unroll
    for (int i = 0; i < kLaneStates; ++i) {
      if (kAllExist || i < count) {
        h[i] = exp2(dt * decay[i]) * h[i] + dt_u * tile.B[t][lane * kLaneStates + i];
        y += h[i] * tile.C[t][lane * kLaneStates + i];
      }
    }
    y += __shfl_xor_sync(kAllLanes, y, 1);
    y += __shfl_xor_sync(kAllLanes, y, 2);
    if (lane == 0) tile.y[t][column] += y;
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) selective_scan_kernel(SelectiveScanParams<T> params) {
  using Acc = AccumulateType<T>;
  __shared__ Tile<Acc> tile;

  const std::int64_t channel_blocks = (params.channels + kChannels - 1) / kChannels;
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  const std::int64_t first_channel = blockIdx.x % channel_blocks * kChannels;
  const std::int64_t batch = params.sequences.batch(sequence);
  const std::int64_t begin = params.sequences.begin(sequence);
  const std::int64_t end = params.sequences.end(sequence);

  const std::int64_t channel = first_channel + threadIdx.x / kLanes;
  const bool channel_exists = channel < params.channels;
  const std::int64_t lane_state = threadIdx.x % kLanes * kLaneStates;
  const std::int64_t first_h = (sequence * params.channels + channel) * params.states + lane_state;
  const std::int64_t first_decay = channel * params.states + lane_state;

  // How many of this lane's states exist among the 16 from `first_state` on.
  const auto count_from = [&](std::int64_t first_state) {
    const std::int64_t left = channel_exists ? params.states - first_state - lane_state : 0;
    return static_cast<int>(min(max(left, std::int64_t(0)), std::int64_t(kLaneStates)));
  };

  for (std::int64_t n = 0; n < params.states; n += kStates) {
    for (int i = 0; i < count_from(n); ++i) {
      params.last_state[first_h + n + i] =
          params.initial_state ? params.initial_state[first_h + n + i] : Acc(0);
    }
  }

  Acc h[kLaneStates] = {};
  Acc decay[kLaneStates] = {};
  for (std::int64_t start = begin; start < end; start += kSteps) {
    const int steps = static_cast<int>(min(end - start, std::int64_t(kSteps)));
    stage_inputs(params, tile, batch, start, steps, first_channel);
    for (std::int64_t n = 0; n < params.states; n += kStates) {
      const int count = count_from(n);
      stage_states(params, tile, batch, start, steps, n);
      if (start == begin || params.states > kStates) {
#pragma unroll
        for (int i = 0; i < kLaneStates; ++i) {
          if (i < count) {
            h[i] = params.last_state[first_h + n + i];
            decay[i] = params.A[first_decay + n + i] * kLog2E<Acc>;
          }
        }
      }
      __syncthreads();
      if (params.states - n >= kStates) {
        scan_tile<true>(tile, steps, decay, h, count);
      } else {
        scan_tile<false>(tile, steps, decay, h, count);
      }
      if (start + kSteps >= end || params.states > kStates) {
#pragma unroll
        for (int i = 0; i < kLaneStates; ++i) {
          if (i < count) params.last_state[first_h + n + i] = h[i];
        }
      }
      __syncthreads();
    }
    write_outputs(params, tile, batch, start, steps, first_channel);
  }
}

}  // namespace

template <typename T>
cudaError_t selective_scan_portable(const SelectiveScanParams<T>& params, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(params.sequences.count *
                                            ceil_div(params.channels, std::int64_t{kChannels}));
  selective_scan_kernel<<<blocks, kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

template cudaError_t selective_scan_portable(const SelectiveScanParams<float>&, cudaStream_t);
template cudaError_t selective_scan_portable(const SelectiveScanParams<double>&, cudaStream_t);
template cudaError_t selective_scan_portable(const SelectiveScanParams<BFloat16>&, cudaStream_t);
template cudaError_t selective_scan_portable(const SelectiveScanParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
