// One element at a time of the gradients of causal_conv1d_backward.h.
#pragma once

#include "kernels/causal_conv1d_backward/causal_conv1d_backward.h"
#include "kernels/cuda/slopes.cuh"

namespace simba::kernels {

// One channel of one sequence, positions [begin, end) of its batch row.
template <typename T>
struct ConvChannel {
  using Acc = AccumulateType<T>;

  const CausalConv1dBackwardParams<T>& params;
  std::int64_t sequence, channel, begin, end;

  __device__ ConvChannel(const CausalConv1dBackwardParams<T>& p, std::int64_t s, std::int64_t d)
      : params(p), sequence(s), channel(d), begin(p.sequences.begin(s)), end(p.sequences.end(s)) {}

  // x at `position`, K - 1 before `begin` at most.
  __device__ Acc input(std::int64_t position) const {
    if (position >= begin) {
      return to_accumulate(params.x.row(params.sequences.batch(sequence), position)[channel]);
    }
    if (!params.initial_state) return Acc(0);
    const std::int64_t taps = params.width - 1;
    const T* state = params.initial_state + (sequence * params.channels + channel) * taps;
    return to_accumulate(state[taps + position - begin]);
  }

  // da at `position`.
  __device__ Acc output_gradient(std::int64_t position) const {
    const Acc grad =
        to_accumulate(params.grad_out.row(params.sequences.batch(sequence), position)[channel]);
    if (!params.silu) return grad;
    Acc sum = params.bias ? params.bias[channel] : Acc(0);
    for (std::int64_t k = 0; k < params.width; ++k) {
      sum += params.weight[channel * params.width + k] * input(position - (params.width - 1) + k);
    }
    return grad * silu_slope(sum);
  }

  // dx at `position`; before `begin` the initial state's gradient.
  __device__ Acc input_gradient(std::int64_t position) const {
    const std::int64_t taps = params.width - 1;
    Acc sum = 0;
    for (std::int64_t k = 0; k <= taps; ++k) {
      const std::int64_t output = position + taps - k;
      if (output < begin || output >= end) continue;
      sum += params.weight[channel * params.width + k] * output_gradient(output);
    }
    // What last_state returned of the inputs: its newest is that before `end`.
    const std::int64_t kept = position - (end - taps);
    if (kept >= 0 && params.grad_last_state) {
      sum += to_accumulate(
          params.grad_last_state[(sequence * params.channels + channel) * taps + kept]);
    }
    return sum;
  }

  __device__ void write_initial_state_gradient() const {
    const std::int64_t taps = params.width - 1;
    T* to = params.grad_initial_state + (sequence * params.channels + channel) * taps;
#pragma unroll 1
    for (std::int64_t k = 0; k < taps; ++k) {
      to[k] = round_to<T>(input_gradient(begin - taps + k));
    }
  }
};

// The last sequence of a packed row that begins at or before `position`: the one it lies in, since
// an empty sequence begins where its successor does.
__device__ inline std::int64_t sequence_of(const Sequences& sequences, std::int64_t batch,
                                           std::int64_t position) {
  if (!sequences.cu_seqlens) return batch;
  std::int64_t low = 0, high = sequences.count;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (sequences.cu_seqlens[middle] <= position ? low : high) = middle;
  }
  return low;
}

}  // namespace simba::kernels
