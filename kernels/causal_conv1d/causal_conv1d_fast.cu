// Causal depthwise convolution: out_t = act(bias + sum over k of weight[k] x_{t - (K - 1) + k}).
//
// A packet is 16 bytes of neighbouring channels. One block of 4 warps takes 32 packets of channels
// over 4 neighbouring runs of positions, a run per warp: a thread walks its packet of channels
// along the run with the K - 1 inputs before it in registers and the next kAhead inputs under way.
// The weights go through shared memory, since those of neighbouring threads lie far apart. A run
// follows a packed row from sequence to sequence. Last states: the grid's first blocks, one thread
// per (sequence, channel).
#include "kernels/causal_conv1d/causal_conv1d_paths.h"
#include "kernels/causal_conv1d/conv_inputs.cuh"
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kBlocksPerMultiprocessor = 4;
constexpr int kAhead = 4;  // positions under way
// Runs are as short as it takes for this many warps, which fill a large GPU, but no shorter than
// kMinRun, where the K - 1 inputs before a run begin to cost, and no longer than kMaxRun.
constexpr std::int64_t kWantedWarps = 2048;
constexpr std::int64_t kMinRun = 8;
constexpr std::int64_t kMaxRun = 32;

struct Grid {
  unsigned state_blocks;
  unsigned channel_blocks;
  unsigned position_blocks;  // of a batch row
  int run;                   // positions

  std::int64_t blocks(std::int64_t batch) const {
    return state_blocks + batch * position_blocks * channel_blocks;
  }
};

// The weights and biases of a thread's packet of channels.
template <typename T, int kWidth>
struct Taps {
  static constexpr int kCount = kWideElements<T>;
  static constexpr int kQuads = kCount * kWidth / 4;  // groups of 4 weights of a packet
  // An odd stride between the packets' weights spreads them over the banks.
  static constexpr int kStride = kQuads | 1;

  // The block's first packet has channel `first`; `packets` of its 32 exist. Every thread calls it.
  __device__ void load(const CausalConv1dParams<T>& params, std::int64_t first, int packets) {
    __shared__ float4 staged[kWarpSize * kStride];
    const auto* quads = reinterpret_cast<const float4*>(params.weight + first * kWidth);
#pragma unroll
    for (int j = 0; j < kWarpSize * kQuads; j += kThreads) {
      const int i = j + static_cast<int>(threadIdx.x);
      if (i < packets * kQuads) staged[i / kQuads * kStride + i % kQuads] = quads[i];
    }
    __syncthreads();
    const int lane = threadIdx.x % kWarpSize;
    if (lane >= packets) return;
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      const float4 quad = staged[lane * kStride + q];
      const float values[4] = {quad.x, quad.y, quad.z, quad.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) weight[(4 * q + i) % kWidth][(4 * q + i) / kWidth] = values[i];
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) bias[i] = 0;
    if (params.bias) unpack(load_packet<kCount>(params.bias + first + lane * kCount), bias);
  }

  float weight[kWidth][kCount];
  float bias[kCount];
};

// The K - 1 inputs before `position` of a sequence that begins at `begin`.
template <typename T, int kWidth, int kCount>
__device__ void load_window(const CausalConv1dParams<T>& params, std::int64_t sequence,
                            std::int64_t begin, std::int64_t position, std::int64_t channel,
                            float (&window)[kWidth - 1][kCount]) {
#pragma unroll
  for (int k = 0; k < kWidth - 1; ++k) {
    const std::int64_t at = position - (kWidth - 1) + k;
    if (at >= begin) {
      unpack(load_packet<kCount>(params.x.row(params.sequences.batch(sequence), at) + channel),
             window[k]);
    } else {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        window[k][i] = to_accumulate(input_at(params, sequence, begin, at, channel + i));
      }
    }
  }
}

template <typename T, int kWidth, bool kSilu>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    causal_conv1d_fast_kernel(CausalConv1dParams<T> params, Grid grid) {
  constexpr int kCount = kWideElements<T>;
  if (blockIdx.x < grid.state_blocks) {
    const unsigned item = blockIdx.x * kThreads + threadIdx.x;
    const auto channels = static_cast<unsigned>(params.channels);
    if (item < params.sequences.count * params.channels) {
      write_last_state(params, item / channels, item % channels);
    }
    return;
  }
  const unsigned block = blockIdx.x - grid.state_blocks;
  const int first_channel = static_cast<int>(block % grid.channel_blocks) * kWarpSize * kCount;
  const unsigned rows = block / grid.channel_blocks;
  const auto batch = static_cast<int>(rows / grid.position_blocks);
  const std::int64_t first =
      (std::int64_t(rows % grid.position_blocks) * kWarps + threadIdx.x / kWarpSize) * grid.run;

  const auto channels = static_cast<int>(params.channels);
  const int packets = min((channels - first_channel) / kCount, kWarpSize);
  Taps<T, kWidth> taps;
  taps.load(params, first_channel, packets);
  const int lane = threadIdx.x % kWarpSize;
  const auto steps = static_cast<int>(min(params.sequences.length - first, std::int64_t(grid.run)));
  if (lane >= packets || steps <= 0) return;

  const int channel = first_channel + lane * kCount;
  const T* x = params.x.row(batch, first) + channel;  // of the next position to load
  T* out = params.out.row(batch, first) + channel;    // of the next position to store
  const auto load_next = [&](bool exists) {
    Packet<T, kCount> input = {};
    if (exists) input = load_packet<kCount>(x);
    x += params.x.row_stride;
    return input;
  };

  const auto last_sequence = static_cast<int>(params.sequences.count) - 1;
  int sequence =
      params.sequences.cu_seqlens ? static_cast<int>(sequence_at(params.sequences, first)) : batch;
  int step = 0;
  while (true) {
    // The run's part within one sequence.
    int stop = steps;
    if (params.sequences.cu_seqlens && sequence < last_sequence) {
      stop = static_cast<int>(min(params.sequences.end(sequence) - first, std::int64_t(steps)));
    }
    if (step < stop) {
      Packet<T, kCount> ahead[kAhead];
#pragma unroll
      for (int j = 0; j < kAhead; ++j) ahead[j] = load_next(j < stop - step);
      float window[kWidth - 1][kCount];
      load_window<T, kWidth>(params, sequence, params.sequences.begin(sequence), first + step,
                             channel, window);
      for (; step < stop; step += kAhead) {
#pragma unroll
        for (int j = 0; j < kAhead; ++j) {
          float newest[kCount], sums[kCount];
          unpack(ahead[j], newest);
          ahead[j] = load_next(j + kAhead < stop - step);
#pragma unroll
          for (int i = 0; i < kCount; ++i) {
            float sum = taps.bias[i];
#pragma unroll
            for (int k = 0; k < kWidth - 1; ++k) sum += taps.weight[k][i] * window[k][i];
            sum += taps.weight[kWidth - 1][i] * newest[i];
            sums[i] = kSilu ? fast_silu<T>(sum) : sum;
#pragma unroll
            for (int k = 0; k < kWidth - 2; ++k) window[k][i] = window[k + 1][i];
            window[kWidth - 2][i] = newest[i];
          }
          if (j < stop - step) store_packet(pack<T>(sums), out);
          out += params.out.row_stride;
        }
      }
      // Back to the positions after this part.
      x += (stop - step - kAhead) * params.x.row_stride;
      out += (stop - step) * params.out.row_stride;
      step = stop;
    }
    if (step >= steps) return;
    ++sequence;
  }
}

template <typename T, int kWidth>
void launch(const CausalConv1dParams<T>& params, const Grid& grid, unsigned blocks,
            cudaStream_t stream) {
  if (params.silu) {
    causal_conv1d_fast_kernel<T, kWidth, true><<<blocks, kThreads, 0, stream>>>(params, grid);
  } else {
    causal_conv1d_fast_kernel<T, kWidth, false><<<blocks, kThreads, 0, stream>>>(params, grid);
  }
}

template <typename T>
Grid grid_of(const CausalConv1dParams<T>& params) {
  const Sequences& sequences = params.sequences;
  const std::int64_t batch = sequences.cu_seqlens ? 1 : sequences.count;
  const std::int64_t channel_blocks = ceil_div(params.channels / kWideElements<T>, kWarpSize);
  const std::int64_t even = ceil_div(sequences.length * batch * channel_blocks, kWantedWarps);
  const std::int64_t whole = ceil_div(even, kAhead) * kAhead;
  const std::int64_t run = whole < kMinRun ? kMinRun : whole > kMaxRun ? kMaxRun : whole;
  return {
      .state_blocks = static_cast<unsigned>(ceil_div(sequences.count * params.channels, kThreads)),
      .channel_blocks = static_cast<unsigned>(channel_blocks),
      .position_blocks = static_cast<unsigned>(ceil_div(sequences.length, kWarps * run)),
      .run = static_cast<int>(run),
  };
}

}  // namespace

template <typename T>
bool fast_path_takes(const CausalConv1dParams<T>& params) {
  constexpr int kCount = kWideElements<T>;
  const Sequences& sequences = params.sequences;
  const std::int64_t batch = sequences.cu_seqlens ? 1 : sequences.count;
  // Far fewer blocks than these products.
  return params.width >= 2 && params.width <= 4 && sequences.length > 0 &&
         params.channels % kCount == 0 && fits_grid(sequences.count, params.channels) &&
         fits_grid(batch, sequences.length) &&
         fits_grid(batch * sequences.length, ceil_div(params.channels, kThreads)) &&
         takes_packets(params.x, kCount) && takes_packets(params.out, kCount) &&
         takes_packets(params.weight, kCount) && takes_packets(params.bias, kCount);
}

template <typename T>
cudaError_t causal_conv1d_fast(const CausalConv1dParams<T>& params, cudaStream_t stream) {
  const Grid grid = grid_of(params);
  const auto blocks =
      static_cast<unsigned>(grid.blocks(params.sequences.cu_seqlens ? 1 : params.sequences.count));
  if (params.width == 2) {
    launch<T, 2>(params, grid, blocks, stream);
  } else if (params.width == 3) {
    launch<T, 3>(params, grid, blocks, stream);
  } else {
    launch<T, 4>(params, grid, blocks, stream);
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
