// Causal depthwise convolution: out_t = act(bias + sum over k of weight[k] x_{t - (K - 1) + k}).
//
// Outputs: one block of 128 threads = 128 channels takes 16 positions of one batch row, whatever
// sequences they belong to; a packed row's sequence is found by bisection at the first position and
// followed from there. Inputs are read K times, K - 1 of them from the first-level cache. K = 4 has
// its weights in registers; any other K reads them again for every output.
// Last states: a second kernel, one thread per (sequence, channel).
#include "kernels/causal_conv1d/causal_conv1d_paths.h"
#include "kernels/causal_conv1d/conv_inputs.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.cuh"

namespace simba::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kPositions = 16;

// kWidth: K, or 0 where only params.width knows it.
template <typename T, int kWidth>
__global__ void __launch_bounds__(kThreads) causal_conv1d_kernel(CausalConv1dParams<T> params) {
  using Acc = AccumulateType<T>;
  const std::int64_t channel_blocks = (params.channels + kThreads - 1) / kThreads;
  const std::int64_t position_blocks = (params.sequences.length + kPositions - 1) / kPositions;
  const std::int64_t channel = blockIdx.x % channel_blocks * kThreads + threadIdx.x;
  const std::int64_t first = blockIdx.x / channel_blocks % position_blocks * kPositions;
  const std::int64_t batch = blockIdx.x / channel_blocks / position_blocks;
  if (channel >= params.channels) return;

  const std::int64_t width = kWidth > 0 ? kWidth : params.width;
  const Acc* weight = params.weight + channel * width;
  Acc registers[kWidth > 0 ? kWidth : 1];
#pragma unroll
  for (int k = 0; k < kWidth; ++k) registers[k] = weight[k];
  const Acc bias = params.bias ? params.bias[channel] : Acc(0);

  const bool packed = params.sequences.cu_seqlens != nullptr;
  std::int64_t sequence = packed ? sequence_at(params.sequences, first) : batch;
  std::int64_t begin = params.sequences.begin(sequence);
  std::int64_t end = params.sequences.end(sequence);
  const std::int64_t stop = min(first + kPositions, params.sequences.length);
  for (std::int64_t t = first; t < stop; ++t) {
    while (t >= end && sequence + 1 < params.sequences.count) {
      ++sequence;
      begin = params.sequences.begin(sequence);
      end = params.sequences.end(sequence);
    }
    Acc sum = bias;
#pragma unroll
    for (int k = 0; k < width; ++k) {
      const Acc x = to_accumulate(input_at(params, sequence, begin, t - (width - 1) + k, channel));
      sum += (kWidth > 0 ? registers[k] : weight[k]) * x;
    }
    params.out.row(batch, t)[channel] = round_to<T>(params.silu ? silu(sum) : sum);
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) last_state_kernel(CausalConv1dParams<T> params) {
  const std::int64_t channel_blocks = (params.channels + kThreads - 1) / kThreads;
  const std::int64_t channel = blockIdx.x % channel_blocks * kThreads + threadIdx.x;
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  if (channel >= params.channels) return;
  write_last_state(params, sequence, channel);
}

}  // namespace

template <typename T>
cudaError_t causal_conv1d_portable(const CausalConv1dParams<T>& params, cudaStream_t stream) {
  const Sequences& sequences = params.sequences;
  const std::int64_t batch = sequences.cu_seqlens ? 1 : sequences.count;
  const std::int64_t channel_blocks = ceil_div(params.channels, kThreads);
  const std::int64_t position_blocks = ceil_div(sequences.length, kPositions);
  if (!fits_grid(sequences.count, channel_blocks) || !fits_grid(position_blocks, channel_blocks) ||
      !fits_grid(batch, position_blocks * channel_blocks)) {
    return cudaErrorInvalidValue;
  }
  if (position_blocks > 0) {
    const auto blocks = static_cast<unsigned>(batch * position_blocks * channel_blocks);
    if (params.width == 4) {
      causal_conv1d_kernel<T, 4><<<blocks, kThreads, 0, stream>>>(params);
    } else {
      causal_conv1d_kernel<T, 0><<<blocks, kThreads, 0, stream>>>(params);
    }
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  if (params.width > 1) {
    const auto blocks = static_cast<unsigned>(sequences.count * channel_blocks);
    last_state_kernel<<<blocks, kThreads, 0, stream>>>(params);
  }
  return cudaGetLastError();
}

template cudaError_t causal_conv1d_portable(const CausalConv1dParams<float>&, cudaStream_t);
template cudaError_t causal_conv1d_portable(const CausalConv1dParams<double>&, cudaStream_t);
template cudaError_t causal_conv1d_portable(const CausalConv1dParams<BFloat16>&, cudaStream_t);
template cudaError_t causal_conv1d_portable(const CausalConv1dParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
