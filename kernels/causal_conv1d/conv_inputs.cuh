// Which inputs a position sees: those before its sequence's start come from the initial state.
#pragma once

#include "kernels/causal_conv1d/causal_conv1d.h"

namespace simba::kernels {

// The input at `position` of a sequence that begins at `begin`, K - 1 positions back at most.
template <typename T>
__device__ T input_at(const CausalConv1dParams<T>& params, std::int64_t sequence,
                      std::int64_t begin, std::int64_t position, std::int64_t channel) {
  if (position >= begin) {
    return params.x.row(params.sequences.batch(sequence), position)[channel];
  }
  if (!params.initial_state) return T{};
  const std::int64_t taps = params.width - 1;
  return params
      .initial_state[(sequence * params.channels + channel) * taps + taps + position - begin];
}

// The last sequence of a packed row that begins at or before `position`: the one it lies in, since
// an empty sequence begins where its successor does.
__device__ inline std::int64_t sequence_at(const Sequences& sequences, std::int64_t position) {
  std::int64_t low = 0;
  std::int64_t high = sequences.count;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (sequences.cu_seqlens[middle] <= position ? low : high) = middle;
  }
  return low;
}

// The K - 1 newest inputs after the sequence, of one channel.
template <typename T>
__device__ void write_last_state(const CausalConv1dParams<T>& params, std::int64_t sequence,
                                 std::int64_t channel) {
  const std::int64_t taps = params.width - 1;
  const std::int64_t begin = params.sequences.begin(sequence);
  const std::int64_t end = params.sequences.end(sequence);
  T* state = params.last_state + (sequence * params.channels + channel) * taps;
#pragma unroll 1
  for (std::int64_t k = 0; k < taps; ++k) {
    state[k] = input_at(params, sequence, begin, end - taps + k, channel);
  }
}

}  // namespace simba::kernels
