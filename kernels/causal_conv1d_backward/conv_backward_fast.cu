// Gradients of causal_conv1d.h for 2 to 4 taps.
//
// A packet is 4 neighbouring channels. A block of 4 warps takes 32 packets of channels over 4
// neighbouring runs of positions, a run per warp: a thread walks its packet forwards along the run
// and K - 1 positions beyond, as far as they are of the same sequence, with the K - 1 older inputs
// and outputs' gradients in registers; at position t the gradient of input t - (K - 1) is complete.
// The packets of the next kAhead positions are on their way meanwhile. The parameters' gradients of
// a run stay in registers, and are added over the 4 warps at the end, in order: a share per block.
// A run follows a packed row from sequence to sequence. Initial states' gradients: the grid's first
// blocks, one thread per (sequence, channel).
#include "kernels/causal_conv1d_backward/conv_backward_paths.h"
#include "kernels/causal_conv1d_backward/conv_gradients.cuh"
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {
namespace {

constexpr int kCount = 4;
constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kBlockChannels = kWarpSize * kCount;
constexpr int kAhead = 4;
constexpr int kResidentBlocks = 4;  // of a multiprocessor
// Runs are long, since a block's share of the parameters' gradients costs as much as some
// positions, where that leaves enough blocks to fill a large GPU.
constexpr std::int64_t kWantedBlocks = kResidentBlocks * 132;
constexpr std::int64_t kMinRun = 16, kMaxRun = 64;

struct Grid {
  unsigned state_blocks;
  unsigned channel_blocks;
  unsigned position_blocks;  // of a batch row
  int run;                   // positions
};

template <typename T>
Grid grid_of(const CausalConv1dBackwardParams<T>& params) {
  const Sequences& sequences = params.sequences;
  const std::int64_t channel_blocks = ceil_div(params.channels, kBlockChannels);
  const std::int64_t columns = channel_blocks * params.batch;
  const std::int64_t rows = columns > 0 && columns < kWantedBlocks ? kWantedBlocks / columns : 1;
  const std::int64_t even = ceil_div(sequences.length, kWarps * rows);
  const std::int64_t run = even < kMinRun ? kMinRun : even > kMaxRun ? kMaxRun : even;
  const std::int64_t states = params.grad_initial_state ? sequences.count * params.channels : 0;
  return {
      .state_blocks = static_cast<unsigned>(ceil_div(states, kThreads)),
      .channel_blocks = static_cast<unsigned>(channel_blocks),
      .position_blocks = static_cast<unsigned>(ceil_div(sequences.length, kWarps * run)),
      .run = static_cast<int>(run),
  };
}

// A thread's packet of channels: its taps, and its gradients of them.
template <typename T, int kWidth, bool kSilu>
struct Walk {
  const CausalConv1dBackwardParams<T>& params;
  std::int64_t batch, channel;
  float weight[kWidth][kCount], bias[kCount];
  float grad_weight[kWidth][kCount], grad_bias[kCount];

  __device__ Walk(const CausalConv1dBackwardParams<T>& p, std::int64_t b, std::int64_t d)
      : params(p), batch(b), channel(d) {
    // Neighbouring channels' taps are neighbours.
    const float4* taps = reinterpret_cast<const float4*>(p.weight + d * kWidth);
    float values[kCount * kWidth];
#pragma unroll
    for (int quad = 0; quad < kWidth; ++quad) {
      const float4 four = taps[quad];
      values[4 * quad] = four.x;
      values[4 * quad + 1] = four.y;
      values[4 * quad + 2] = four.z;
      values[4 * quad + 3] = four.w;
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      bias[i] = p.bias ? p.bias[d + i] : 0;
      grad_bias[i] = 0;
#pragma unroll
      for (int k = 0; k < kWidth; ++k) {
        weight[k][i] = values[i * kWidth + k];
        grad_weight[k][i] = 0;
      }
    }
  }

  // kAhead rows from `from` on, of which `rows` are there; the others are 0.
  using Packets = Packet<T, kCount>[kAhead];
  __device__ static void fetch(const T* from, std::int64_t stride, int rows, Packets& to) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      to[i] = {};
      if (i < rows) to[i] = load_packet<kCount>(from + i * stride);
    }
  }

  // Positions [first, stop) of sequence s, [begin, end).
  __device__ void part(std::int64_t s, std::int64_t begin, std::int64_t end, std::int64_t first,
                       std::int64_t stop) {
    // Counted from `first`: beyond the part, and what there is of the sequence.
    const int own = static_cast<int>(stop - first), last = own + kWidth - 1;
    const int present = static_cast<int>(min(first + last, end) - first);
    const std::int64_t x_stride = params.x.row_stride, grad_stride = params.grad_out.row_stride;
    const T* from_x = params.x.row(batch, first) + channel;
    const T* from_grad = params.grad_out.row(batch, first) + channel;
    Packets next_x, next_grad;
    fetch(from_x, x_stride, present, next_x);
    fetch(from_grad, grad_stride, present, next_grad);
    float x[kWidth][kCount];        // inputs t - (K - 1) to t
    float da[kWidth][kCount] = {};  // outputs' gradients t to t - (K - 1)
#pragma unroll
    for (int k = 0; k < kWidth - 1; ++k) {
      const std::int64_t position = first - (kWidth - 1) + k;
      if (position >= begin) {
        unpack(load_packet<kCount>(params.x.row(batch, position) + channel), x[k + 1]);
      } else {
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          x[k + 1][i] = ConvChannel<T>(params, s, channel + i).input(position);
        }
      }
    }
    for (int t = 0; t < last; t += kAhead) {
      Packets now_x, now_grad;
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        now_x[i] = next_x[i];
        now_grad[i] = next_grad[i];
      }
      from_x += kAhead * x_stride;
      from_grad += kAhead * grad_stride;
      fetch(from_x, x_stride, present - t - kAhead, next_x);
      fetch(from_grad, grad_stride, present - t - kAhead, next_grad);
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        step(now_x[i], now_grad[i], t + i < present, t + i < own, x, da);
        const int input = t + i - (kWidth - 1);
        if (input >= 0 && input < own) store(s, end, first + input, da);
      }
    }
  }

  // On to a position that is of the sequence or beyond it, of the run or beyond it.
  __device__ void step(const Packet<T, kCount>& new_x, const Packet<T, kCount>& new_grad,
                       bool in_sequence, bool in_run, float (&x)[kWidth][kCount],
                       float (&da)[kWidth][kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
#pragma unroll
      for (int k = 0; k < kWidth - 1; ++k) x[k][i] = x[k + 1][i];
#pragma unroll
      for (int k = kWidth - 1; k > 0; --k) da[k][i] = da[k - 1][i];
    }
    unpack(new_x, x[kWidth - 1]);
    unpack(new_grad, da[0]);
    if constexpr (kSilu) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        float sum = bias[i];
#pragma unroll
        for (int k = 0; k < kWidth; ++k) sum += weight[k][i] * x[k][i];
        const float sigma = sizeof(T) == sizeof(float) ? sigmoid(sum) : fast_sigmoid(sum);
        da[0][i] = in_sequence ? da[0][i] * silu_slope_from(sum, sigma) : 0;
      }
    }
    if (!in_run) return;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      grad_bias[i] += da[0][i];
#pragma unroll
      for (int k = 0; k < kWidth; ++k) grad_weight[k][i] += da[0][i] * x[k][i];
    }
  }

  // The gradient of the input at `position`, from those of the K outputs from there on.
  __device__ void store(std::int64_t s, std::int64_t end, std::int64_t position,
                        const float (&da)[kWidth][kCount]) const {
    float sum[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      sum[i] = 0;
#pragma unroll
      for (int k = 0; k < kWidth; ++k) sum[i] += weight[k][i] * da[k][i];
    }
    const std::int64_t kept = position - (end - (kWidth - 1));
    if (kept >= 0 && params.grad_last_state) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        sum[i] += to_accumulate(
            params.grad_last_state[(s * params.channels + channel + i) * (kWidth - 1) + kept]);
      }
    }
    store_packet(pack<T>(sum), params.grad_x.row(batch, position) + channel);
  }
};

template <typename T, int kWidth, bool kSilu>
__global__ void __launch_bounds__(kThreads, kResidentBlocks)
    conv_backward_fast_kernel(CausalConv1dBackwardParams<T> params, Grid grid) {
  if (blockIdx.x < grid.state_blocks) {
    const std::int64_t item = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
    if (item < params.sequences.count * params.channels) {
      ConvChannel<T>(params, item / params.channels, item % params.channels)
          .write_initial_state_gradient();
    }
    return;
  }
  __shared__ float shares[kWarps][kWidth + 1][kBlockChannels];
  const unsigned block = blockIdx.x - grid.state_blocks;
  const unsigned rows = block / grid.channel_blocks;
  const std::int64_t batch = rows / grid.position_blocks;
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const std::int64_t first_channel = std::int64_t(block % grid.channel_blocks) * kBlockChannels;
  const std::int64_t channel = first_channel + lane * kCount;
  std::int64_t position = (std::int64_t(rows % grid.position_blocks) * kWarps + warp) * grid.run;
  const std::int64_t stop = min(position + grid.run, params.sequences.length);
  const bool exists = channel < params.channels;

  Walk<T, kWidth, kSilu> walk(params, batch, exists ? channel : 0);
  if (exists && position < stop) {
    // cu_seqlens on a GPU may be wrong, and end before the positions do.
    for (std::int64_t s = sequence_of(params.sequences, batch, position);
         position < stop && s < params.sequences.count; ++s) {
      const std::int64_t begin = params.sequences.begin(s), end = params.sequences.end(s);
      const std::int64_t until = min(end, stop);
      if (position < until) walk.part(s, begin, end, position, until);
      position = max(position, until);
    }
  }

#pragma unroll
  for (int i = 0; i < kCount; ++i) {
#pragma unroll
    for (int k = 0; k < kWidth; ++k) shares[warp][k][lane * kCount + i] = walk.grad_weight[k][i];
    shares[warp][kWidth][lane * kCount + i] = walk.grad_bias[i];
  }
  __syncthreads();
  float* to = params.scratch + rows * params.channels * (kWidth + 1);
  const std::int64_t own = first_channel + threadIdx.x;
  if (own >= params.channels) return;
#pragma unroll
  for (int k = 0; k <= kWidth; ++k) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) sum += shares[w][k][threadIdx.x];
    to[k < kWidth ? own * kWidth + k : params.channels * kWidth + own] = sum;
  }
}

static_assert(kThreads == kBlockChannels);

template <typename T, int kWidth>
void launch(const CausalConv1dBackwardParams<T>& params, cudaStream_t stream) {
  const Grid grid = grid_of(params);
  const unsigned blocks = grid.state_blocks + static_cast<unsigned>(params.batch) *
                                                  grid.position_blocks * grid.channel_blocks;
  if (params.silu) {
    conv_backward_fast_kernel<T, kWidth, true><<<blocks, kThreads, 0, stream>>>(params, grid);
  } else {
    conv_backward_fast_kernel<T, kWidth, false><<<blocks, kThreads, 0, stream>>>(params, grid);
  }
}

}  // namespace

template <typename T>
bool fast_path_takes(const CausalConv1dBackwardParams<T>& params) {
  return params.width >= 2 && params.width <= 4 && params.sequences.length > 0 &&
         params.batch > 0 && params.channels % kCount == 0 &&
         fits_grid(params.batch * ceil_div(params.sequences.length, kWarps * kMinRun),
                   ceil_div(params.channels, kBlockChannels)) &&
         takes_packets(params.x, kCount) && takes_packets(params.grad_out, kCount) &&
         takes_packets(params.grad_x, kCount) && takes_packets(params.weight, kCount);
}

template <typename T>
std::int64_t conv_backward_shares_fast(const CausalConv1dBackwardParams<T>& params) {
  return params.batch * grid_of(params).position_blocks;
}

template <typename T>
cudaError_t conv_backward_fast(const CausalConv1dBackwardParams<T>& params, cudaStream_t stream) {
  if (params.width == 2) {
    launch<T, 2>(params, stream);
  } else if (params.width == 3) {
    launch<T, 3>(params, stream);
  } else {
    launch<T, 4>(params, stream);
  }
  return cudaGetLastError();
}

#define SIMBA_INSTANTIATE(T)                                                             \
  template bool fast_path_takes(const CausalConv1dBackwardParams<T>&);                   \
  template std::int64_t conv_backward_shares_fast(const CausalConv1dBackwardParams<T>&); \
  template cudaError_t conv_backward_fast(const CausalConv1dBackwardParams<T>&, cudaStream_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
