// Causal depthwise convolution: out_t = act(bias + sum over k of weight[k] x_{t - (K - 1) + k}).
//
// A packet is 4 neighbouring channels, so that few registers hold a run's and many warps are
// resident. One block of 8 warps takes 32 packets of channels over 8 neighbouring runs of kRun
// positions, a run per warp; the next batch row's runs follow. A thread asks for all inputs of its
// run at once, and for the K - 1 before it, which its neighbour reads too: it waits once, and
// enough bytes are under way to keep memory busy. The weights go through shared memory, since those
// of neighbouring threads lie far apart. A run follows a packed row from sequence to sequence. Last
// states: the grid's first blocks, one thread per sequence and packet.
#include "kernels/causal_conv1d/causal_conv1d_paths.h"
#include "kernels/causal_conv1d/conv_inputs.cuh"
#include "kernels/causal_conv1d/conv_states.cuh"
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/device.h"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {
namespace {

constexpr int kCount = 4;  // elements of a packet
constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;
// Of a multiprocessor.
template <typename T>
constexpr int kBlocks = sizeof(T) == 4 ? 3 : 4;
constexpr int kRun = 8;  // positions

struct Grid {
  unsigned state_blocks;
  unsigned channel_blocks;
  unsigned batch;
  unsigned runs;  // of a batch row

  unsigned blocks() const {
    return state_blocks +
           static_cast<unsigned>(ceil_div(std::int64_t{batch} * runs, kWarps)) * channel_blocks;
  }
};

// A block's weights, 4 at a time.
template <int kWidth>
struct StagedWeights {
  static constexpr int kQuads = kCount * kWidth / 4;  // of a packet
  // An odd stride between the packets' weights spreads them over the banks.
  static constexpr int kStride = kQuads | 1;

  // Begins to copy those of the block's `packets` packets of channels from `from` on.
  __device__ void copy(const float* from, int packets) {
    const auto* quads = reinterpret_cast<const float4*>(from);
#pragma unroll
    for (int j = 0; j < kWarpSize * kQuads; j += kThreads) {
      const int i = j + static_cast<int>(threadIdx.x);
      if (i < packets * kQuads) {
        async_copy_16(&staged[i / kQuads * kStride + i % kQuads], quads + i, true);
      }
    }
    close_async_copies();
  }

  __device__ void take(int packet, float (&weight)[kWidth][kCount]) const {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      const float4 quad = staged[packet * kStride + q];
      const float values[4] = {quad.x, quad.y, quad.z, quad.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) weight[(4 * q + i) % kWidth][(4 * q + i) / kWidth] = values[i];
    }
  }

  float4 staged[kWarpSize * kStride];
};

template <typename T, int kWidth, bool kSilu, bool kPacked>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    causal_conv1d_fast_kernel(CausalConv1dParams<T> params, Grid grid) {
  constexpr int kTaps = kWidth - 1;
  static_assert(kTaps <= kRun);
  __shared__ StagedWeights<kWidth> weights;
  const Sequences& sequences = params.sequences;
  if (blockIdx.x < grid.state_blocks) {
    const unsigned item = blockIdx.x * kThreads + threadIdx.x;
    const auto packets = static_cast<unsigned>(params.channels) / kCount;
    if (item < sequences.count * packets) {
      write_last_state<T, kTaps, kCount>(params, item / packets, item % packets * kCount);
    }
    return;
  }
  const unsigned block = blockIdx.x - grid.state_blocks;
  const int first_channel = static_cast<int>(block % grid.channel_blocks) * kWarpSize * kCount;
  const unsigned run = block / grid.channel_blocks * kWarps + threadIdx.x / kWarpSize;
  const auto batch = static_cast<int>(run / grid.runs);
  const int first = static_cast<int>(run % grid.runs) * kRun;
  const int packets = min((static_cast<int>(params.channels) - first_channel) / kCount, kWarpSize);
  const int lane = threadIdx.x % kWarpSize;
  weights.copy(params.weight + std::int64_t{first_channel} * kWidth, packets);

  const int steps = static_cast<int>(sequences.length) - first;
  const bool idle = lane >= packets || batch >= static_cast<int>(grid.batch);
  const int channel = first_channel + lane * kCount;
  std::int64_t sequence = batch;
  std::int64_t begin = 0;  // of the sequence
  int end = steps;         // of the sequence, from the run's first position on
  if (kPacked && !idle) {
    sequence = sequence_at(sequences, first);
    begin = sequences.begin(sequence);
    end = static_cast<int>(sequences.end(sequence)) - first;
  }
  const T* x = params.x.row(batch, first) + channel;
  T* out = params.out.row(batch, first) + channel;
  Packet<T, kCount> inputs[kTaps + kRun];
#pragma unroll
  for (int j = 0; j < kTaps + kRun; ++j) {
    inputs[j] = {};
    const bool before = j < kTaps && first + j - kTaps < begin;
    if (!idle && !before && j - kTaps < steps) {
      inputs[j] = load_packet<kCount>(x + (j - kTaps) * params.x.row_stride);
    }
  }
  float bias[kCount] = {};
  if (!idle && params.bias) unpack(load_packet<kCount>(params.bias + channel), bias);
  if (!idle && params.initial_state && first - begin < kTaps) {
    const auto state = inputs_before<T, kTaps, kCount>(params, sequence, begin, first, channel);
#pragma unroll
    for (int k = 0; k < kTaps; ++k) inputs[k] = state.inputs[k];
  }
  wait_for_async_copies<0>();
  __syncthreads();
  if (idle) return;
  float weight[kWidth][kCount];
  weights.take(lane, weight);

  float window[kWidth][kCount];  // the newest last
#pragma unroll
  for (int k = 0; k < kTaps; ++k) unpack(inputs[k], window[k]);
#pragma unroll
  for (int j = 0; j < kRun; ++j) {
    if (kPacked && j == end && j < steps) {
      while (j == end && sequence + 1 < sequences.count) {
        end = static_cast<int>(sequences.end(++sequence)) - first;
      }
      const auto state = initial_state<T, kTaps, kCount>(params, sequence, channel);
#pragma unroll
      for (int k = 0; k < kTaps; ++k) unpack(state.inputs[k], window[k]);
    }
    unpack(inputs[kTaps + j], window[kTaps]);
    float sums[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      float sum = bias[i];
#pragma unroll
      for (int k = 0; k < kWidth; ++k) sum += weight[k][i] * window[k][i];
      sums[i] = kSilu ? fast_silu<T>(sum) : sum;
#pragma unroll
      for (int k = 0; k < kTaps; ++k) window[k][i] = window[k + 1][i];
    }
    if (j < steps) store_packet(pack<T>(sums), out + j * params.out.row_stride);
  }
}

template <typename T>
Grid grid_of(const CausalConv1dParams<T>& params) {
  const Sequences& sequences = params.sequences;
  const std::int64_t packets = params.channels / kCount;
  return {
      .state_blocks = static_cast<unsigned>(ceil_div(sequences.count * packets, kThreads)),
      .channel_blocks = static_cast<unsigned>(ceil_div(packets, kWarpSize)),
      .batch = static_cast<unsigned>(sequences.cu_seqlens ? 1 : sequences.count),
      .runs = static_cast<unsigned>(ceil_div(sequences.length, kRun)),
  };
}

template <typename T, int kWidth>
void launch(const CausalConv1dParams<T>& params, cudaStream_t stream) {
  const Grid grid = grid_of(params);
  const unsigned blocks = grid.blocks();
  const auto with = [&](auto kernel) { kernel<<<blocks, kThreads, 0, stream>>>(params, grid); };
  if (params.sequences.cu_seqlens) {
    with(params.silu ? causal_conv1d_fast_kernel<T, kWidth, true, true>
                     : causal_conv1d_fast_kernel<T, kWidth, false, true>);
  } else {
    with(params.silu ? causal_conv1d_fast_kernel<T, kWidth, true, false>
                     : causal_conv1d_fast_kernel<T, kWidth, false, false>);
  }
}

}  // namespace

template <typename T>
bool fast_path_takes(const CausalConv1dParams<T>& params) {
  // Code compiled for less has no asynchronous copies.
  static PerDevice code;
  const bool compiled =
      code.get([] { return code_capability(causal_conv1d_fast_kernel<T, 4, true, false>); }) >= 80;
  const Sequences& sequences = params.sequences;
  const std::int64_t batch = sequences.cu_seqlens ? 1 : sequences.count;
  // Far fewer blocks than these products.
  return compiled && params.width >= 2 && params.width <= 4 && sequences.length > 0 &&
         params.channels % kCount == 0 && fits_grid(sequences.count, params.channels) &&
         fits_grid(batch, sequences.length) &&
         fits_grid(batch * sequences.length, ceil_div(params.channels, kThreads)) &&
         takes_packets(params.x, kCount) && takes_packets(params.out, kCount) &&
         takes_packets(params.weight, kCount) && takes_packets(params.bias, kCount) &&
         takes_packets(params.initial_state, kCount) &&
         takes_packets(static_cast<const T*>(params.last_state), kCount);
}

template <typename T>
cudaError_t causal_conv1d_fast(const CausalConv1dParams<T>& params, cudaStream_t stream) {
  if (params.width == 2) {
    launch<T, 2>(params, stream);
  } else if (params.width == 3) {
    launch<T, 3>(params, stream);
  } else {
    launch<T, 4>(params, stream);
  }
  return cudaGetLastError();
}

template bool fast_path_takes(const CausalConv1dParams<float>&);
template bool fast_path_takes(const CausalConv1dParams<BFloat16>&);
template bool fast_path_takes(const CausalConv1dParams<Float16>&);
template cudaError_t causal_conv1d_fast(const CausalConv1dParams<float>&, cudaStream_t);
template cudaError_t causal_conv1d_fast(const CausalConv1dParams<BFloat16>&, cudaStream_t);
template cudaError_t causal_conv1d_fast(const CausalConv1dParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
