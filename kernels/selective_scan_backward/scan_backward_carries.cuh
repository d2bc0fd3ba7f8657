// Second kernel: per sequence, channel and state, through its chunks: the true state before each,
// and back, the true gradient of the state after each. Two threads for each (sequence, channel,
// state), one for each direction; neighbouring threads take neighbouring places.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/selective_scan_backward/scan_backward_chunks.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kCarryThreads = 128;
// Chunks whose loads are under way together.
inline constexpr int kAhead = 16;

// From the chunk `first` on, `count` of them, kForward or back: replaces what each does to a zero
// carry by the carry that enters it, and returns the carry behind the last.
template <bool kForward>
__device__ float carry_through(float* values, std::int64_t width, const float* delta,
                               std::int64_t delta_width, int count, float a, float carry) {
  const std::int64_t step = kForward ? width : -width;
  const std::int64_t delta_step = kForward ? delta_width : -delta_width;
  for (; count > 0; count -= kAhead) {
    float local[kAhead], decay[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      local[k] = k < count ? values[k * step] : 0;
      decay[k] = k < count ? delta[k * delta_step] : 0;
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (k < count) values[k * step] = carry;
      carry = fmaf(fast_exp2(a * decay[k]), carry, local[k]);
    }
    values += kAhead * step;
    delta += kAhead * delta_step;
  }
  return carry;
}

// Grid: (blocks of threads, sequences, directions). The width is a multiple of kCarryThreads.
template <typename T>
__global__ void __launch_bounds__(kCarryThreads)
    carries_kernel(SelectiveScanBackwardParams<T> params, Chunks chunks, Scratch scratch,
                   Slice slice) {
  const std::int64_t width = slice.blocks * kBlockStates;
  const std::int64_t delta_width = slice.blocks * kBlockChannels;
  const std::int64_t place = std::int64_t(blockIdx.x) * kCarryThreads + threadIdx.x;
  const std::int64_t own = place / kBlockStates;
  int column, state;
  BlockStates::decode(static_cast<int>(place % kBlockStates), column, state);
  const std::int64_t channel = (slice.first_block + own) * kBlockChannels + column;
  const bool exists = channel < params.channels;
  const float a = exists ? params.A[channel * kStates + state] * kLog2E<float> : 0;
  const float* delta = scratch.delta + own * kBlockChannels + column;
  for (std::int64_t s = blockIdx.y; s < params.sequences.count; s += gridDim.y) {
    const std::int64_t at = (s * params.channels + channel) * kStates + state;
    const std::int64_t first = chunks.first(s), last = chunks.first(s + 1);
    const int count = static_cast<int>(last - first);
    if (blockIdx.z == 0) {
      const float h = exists && params.initial_state ? params.initial_state[at] : 0;
      carry_through<true>(scratch.states + first * width + place, width,
                          delta + first * delta_width, delta_width, count, a, h);
    } else {
      const float g = exists && params.grad_last_state ? params.grad_last_state[at] : 0;
      const float before =
          carry_through<false>(scratch.adjoints + (last - 1) * width + place, width,
                               delta + (last - 1) * delta_width, delta_width, count, a, g);
      if (exists && params.grad_initial_state) params.grad_initial_state[at] = before;
    }
  }
}

static_assert(kBlockStates % kCarryThreads == 0);

}  // namespace simba::kernels::scan_backward
