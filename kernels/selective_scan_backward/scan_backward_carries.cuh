// Second kernel: per sequence, channel and state, through its chunks: the true state before each,
// and back, the true gradient of the state after each. One thread for each (sequence, channel,
// state), neighbouring threads neighbouring places.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/selective_scan_backward/scan_backward_chunks.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kCarryThreads = 256;
// Chunks whose loads are under way together.
inline constexpr int kAhead = 8;

template <typename T>
__global__ void __launch_bounds__(kCarryThreads)
    carries_kernel(SelectiveScanBackwardParams<T> params, Chunks chunks, Scratch scratch,
                   Slice slice) {
  const std::int64_t width = slice.blocks * kBlockStates;
  const std::int64_t item = std::int64_t(blockIdx.x) * kCarryThreads + threadIdx.x;
  if (item >= width * params.sequences.count) return;
  const std::int64_t s = item / width, place = item % width, own = place / kBlockStates;
  int column, state;
  BlockStates::decode(static_cast<int>(place % kBlockStates), column, state);
  const std::int64_t channel = (slice.first_block + own) * kBlockChannels + column;
  const bool exists = channel < params.channels;
  const float a = exists ? params.A[channel * kStates + state] * kLog2E<float> : 0;
  const std::int64_t at = (s * params.channels + channel) * kStates + state;
  const std::int64_t first = chunks.first(s), last = chunks.first(s + 1);
  float* states = scratch.states + place;
  float* adjoints = scratch.adjoints + place;
  const float* delta = scratch.delta + own * kBlockChannels + column;
  const std::int64_t delta_width = slice.blocks * kBlockChannels;

  float h = exists && params.initial_state ? params.initial_state[at] : 0;
  for (std::int64_t chunk = first; chunk < last; chunk += kAhead) {
    float local[kAhead], decay[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const bool has = chunk + k < last;
      local[k] = has ? states[(chunk + k) * width] : 0;
      decay[k] = has ? delta[(chunk + k) * delta_width] : 0;
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (chunk + k < last) states[(chunk + k) * width] = h;
      h = fmaf(fast_exp2(a * decay[k]), h, local[k]);
    }
  }

  float g = exists && params.grad_last_state ? params.grad_last_state[at] : 0;
  for (std::int64_t chunk = last - 1; chunk >= first; chunk -= kAhead) {
    float local[kAhead], decay[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const bool has = chunk - k >= first;
      local[k] = has ? adjoints[(chunk - k) * width] : 0;
      decay[k] = has ? delta[(chunk - k) * delta_width] : 0;
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (chunk - k >= first) adjoints[(chunk - k) * width] = g;
      g = fmaf(fast_exp2(a * decay[k]), g, local[k]);
    }
  }
  if (exists && params.grad_initial_state) params.grad_initial_state[at] = g;
}

}  // namespace simba::kernels::scan_backward
