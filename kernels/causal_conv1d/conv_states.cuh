// The K - 1 inputs around a sequence's ends, a packet of channels at a time. States lie channel by
// channel, (S, D, K - 1): what a thread holds of one is contiguous too, but turned.
#pragma once

#include "kernels/causal_conv1d/causal_conv1d.h"
#include "kernels/cuda/packet.cuh"

namespace simba::kernels {

template <typename T, int kTaps, int kCount>
struct ConvState {
  Packet<T, kCount> inputs[kTaps];  // oldest first
};

// What comes before the sequence's first input.
template <typename T, int kTaps, int kCount>
__device__ ConvState<T, kTaps, kCount> initial_state(const CausalConv1dParams<T>& params,
                                                     std::int64_t sequence, std::int64_t channel) {
  ConvState<T, kTaps, kCount> state = {};
  if (!params.initial_state) return state;
  const T* from = params.initial_state + (sequence * params.channels + channel) * kTaps;
  Packet<T, kCount> packets[kTaps];
#pragma unroll
  for (int k = 0; k < kTaps; ++k) packets[k] = load_packet<kCount>(from + k * kCount);
  const T* stored = reinterpret_cast<const T*>(packets);
#pragma unroll
  for (int k = 0; k < kTaps; ++k) {
    T* input = reinterpret_cast<T*>(state.inputs[k].words);
#pragma unroll
    for (int i = 0; i < kCount; ++i) input[i] = stored[i * kTaps + k];
  }
  return state;
}

// The K - 1 inputs before `position` of a sequence that begins at `begin`.
template <typename T, int kTaps, int kCount>
__device__ ConvState<T, kTaps, kCount> inputs_before(const CausalConv1dParams<T>& params,
                                                     std::int64_t sequence, std::int64_t begin,
                                                     std::int64_t position, std::int64_t channel) {
  ConvState<T, kTaps, kCount> state;
  const T* x = params.x.row(params.sequences.batch(sequence), position) + channel;
#pragma unroll
  for (int k = 0; k < kTaps; ++k) {
    state.inputs[k] = {};
    if (position - kTaps + k >= begin) {
      state.inputs[k] = load_packet<kCount>(x + (k - kTaps) * params.x.row_stride);
    }
  }
  if (position - begin < kTaps && params.initial_state) {
    const auto first = initial_state<T, kTaps, kCount>(params, sequence, channel);
#pragma unroll
    for (int passed = 0; passed < kTaps; ++passed) {
      if (position - begin != passed) continue;
#pragma unroll
      for (int k = 0; k + passed < kTaps; ++k) state.inputs[k] = first.inputs[k + passed];
    }
  }
  return state;
}

template <typename T, int kTaps, int kCount>
__device__ void write_last_state(const CausalConv1dParams<T>& params, std::int64_t sequence,
                                 std::int64_t channel) {
  const auto state = inputs_before<T, kTaps, kCount>(
      params, sequence, params.sequences.begin(sequence), params.sequences.end(sequence), channel);
  Packet<T, kCount> packets[kTaps];
  T* stored = reinterpret_cast<T*>(packets);
#pragma unroll
  for (int k = 0; k < kTaps; ++k) {
    const T* input = reinterpret_cast<const T*>(state.inputs[k].words);
#pragma unroll
    for (int i = 0; i < kCount; ++i) stored[i * kTaps + k] = input[i];
  }
  T* to = params.last_state + (sequence * params.channels + channel) * kTaps;
#pragma unroll
  for (int k = 0; k < kTaps; ++k) store_packet(packets[k], to + k * kCount);
}

}  // namespace simba::kernels
