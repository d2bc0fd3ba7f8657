// Influence scores for N = 16: per token t and channel d
//   log2|dy| = log2(dt_t |u_t|) + the sum over states (influence_states.cuh).
//
//   Pass 1: dt' summed over every chunk (influence_chunks.cuh).
//   Pass 2: R at a chunk's end, summed in double from those; the warps' sums give R at every warp's
//     end; then every warp walks its tokens backwards, and a token's 64 channels are reduced.
//   Pass 3: influence_reduce.cuh.
// The blocks of pass 2 take several blocks of channels in turn, since log2|C_T B_t| is the same for
// all.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/influence_scores/influence_paths.h"
#include "kernels/influence_scores/influence_reduce.cuh"
#include "kernels/influence_scores/influence_states.cuh"

namespace simba::kernels {
namespace influence {
namespace {

constexpr int kTogether = 4;    // tokens that a warp computes at once
constexpr int kBlockTurns = 2;  // channel blocks that a block of pass 2 takes in turn

// Pass 1. sums: (chunks, D).
template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_chunk_kernel(InfluenceScoresParams<T> params, float* sums) {
  __shared__ float totals[kWarps][kChannels];
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x);
  if (!chunk.exists()) return;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const std::int64_t first_channel = std::int64_t{blockIdx.y} * kChannels;
  const std::int64_t channel = first_channel + lane * kLaneChannels;
  const bool exists = channel < params.channels;
  const auto [start, tokens] = WarpSpan(chunk);

  float bias[kLaneChannels], decay_bias[kLaneChannels];
  load_biases(params, channel, exists, bias, decay_bias);
  Pair<T> delta[kWarpTokens];
  load_tokens(params.delta, batch, start, tokens, channel, exists, delta);
  float steps[kWarpTokens][kLaneChannels];
  decay_steps(delta, decay_bias, tokens, steps);
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) {
    float total = 0;
#pragma unroll
    for (int t = 0; t < kWarpTokens; ++t) total += steps[t][c];
    totals[warp][lane * kLaneChannels + c] = total;
  }
  __syncthreads();
  const std::int64_t mine = first_channel + threadIdx.x;
  if (threadIdx.x < kChannels && mine < params.channels) {
    float total = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) total += totals[w][threadIdx.x];
    sums[std::int64_t{blockIdx.x} * params.channels + mine] = total;
  }
}

// The largest over the warp in one instruction: floats ordered as integers, NaN above all.
__device__ inline float warp_max_ordered(float value) {
  const int bits = __float_as_int(value);
  const int ordered = value != value ? 0x7fffffff : bits ^ (bits >> 31 & 0x7fffffff);
  const int largest = __reduce_max_sync(kAllLanes, ordered);
  return __int_as_float(largest ^ (largest >> 31 & 0x7fffffff));
}

// Of a warp's 64 channels.
__device__ inline float reduce_channels(const float (&values)[kLaneChannels],
                                        InfluenceReduction reduction) {
  const float largest = warp_max_ordered(max_or_nan(values[0], values[1]));
  if (is_maximum(reduction)) return largest;
  const float factor = factored_exponent(largest);
  return factor +
         fast_log2(warp_sum(fast_exp2(values[0] - factor) + fast_exp2(values[1] - factor)));
}

// Pass 2.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_partial_fast_kernel(InfluenceScoresParams<T> params, const float* sums,
                                  int channel_blocks) {
  __shared__ ChunkTile tile;
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x);
  if (!chunk.exists()) return;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const auto [start, tokens] = WarpSpan(chunk);
  stage_states(params, tile, chunk, batch);

  const int first_block = blockIdx.y * kBlockTurns;
  for (int block = first_block; block < min(first_block + kBlockTurns, channel_blocks); ++block) {
    const std::int64_t first_channel = std::int64_t{block} * kChannels;
    const int column = lane * kLaneChannels;
    const std::int64_t channel = first_channel + column;
    const bool exists = channel < params.channels;
    float bias[kLaneChannels], decay_bias[kLaneChannels];
    load_biases(params, channel, exists, bias, decay_bias);
    Pair<T> delta[kWarpTokens], u[kWarpTokens];
    load_tokens(params.delta, batch, start, tokens, channel, exists, delta);
    load_tokens(params.u, batch, start, tokens, channel, exists, u);

    __syncthreads();  // the turn before has read the tile
    stage_decays(params, tile, first_channel);
    float steps[kWarpTokens][kLaneChannels];
    decay_steps(delta, decay_bias, tokens, steps);
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      float total = 0;
#pragma unroll
      for (int t = 0; t < kWarpTokens; ++t) total += steps[t][c];
      tile.totals[warp][column + c] = total;
      double later = 0;
      if (exists) {
        for (std::int64_t i = 1 + warp; i <= chunk.after; i += kWarps) {
          later += sums[(blockIdx.x + i) * params.channels + channel + c];
        }
      }
      tile.later[warp][column + c] = later;
    }
    __syncthreads();

    float later[kLaneChannels];
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      double sum = 0;
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        sum += tile.later[w][column + c];
        if (w > warp) sum += tile.totals[w][column + c];
      }
      later[c] = static_cast<float>(sum);
    }
    LaneChannels channels;
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      channels.bias[c] = bias[c];
      channels.slowest[c] = tile.a[0][column + c];
      channels.others[c] = tile.kept[1][column + c];
    }
    // Some tokens at once: their chains are independent but for R.
#pragma unroll
    for (int first = kWarpTokens - kTogether; first >= 0; first -= kTogether) {
      if (first >= tokens) continue;
      float values[kTogether][kLaneChannels], R[kTogether][kLaneChannels];
      bool lone = true;
#pragma unroll
      for (int i = kTogether - 1; i >= 0; --i) {
        const int t = first + i;
        float deltas[kLaneChannels], us[kLaneChannels];
        unpack(delta[t], deltas);
        unpack(u[t], us);
#pragma unroll
        for (int c = 0; c < kLaneChannels; ++c) {
          R[i][c] = later[c];
          later[c] += steps[t][c];
          lone &= lone_state(tile, warp * kWarpTokens + t, channels, c, R[i][c], deltas[c], us[c],
                             params.reduction, values[i][c]);
        }
      }
      if (!__all_sync(kAllLanes, lone || !exists)) {
#pragma unroll
        for (int i = 0; i < kTogether; ++i) {
          const int t = first + i;
          Term terms[kLaneChannels];
          add_states(tile, warp * kWarpTokens + t, column, R[i], terms);
          float deltas[kLaneChannels], us[kLaneChannels];
          unpack(delta[t], deltas);
          unpack(u[t], us);
#pragma unroll
          for (int c = 0; c < kLaneChannels; ++c) {
            const float log2_dt_u = fast_log2_softplus(deltas[c] + bias[c]) + log2f(fabsf(us[c]));
            values[i][c] = log2_contribution(terms[c], log2_dt_u, us[c] < 0, params.reduction);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < kTogether; ++i) {
        if (!exists) values[i][0] = values[i][1] = -infinity<float>();
        const float reduced = reduce_channels(values[i], params.reduction);
        if (lane == 0 && first + i < tokens) {
          const std::int64_t flat = batch * params.sequences.length + start + first + i;
          params.partial[flat * channel_blocks + block] = reduced;
        }
      }
    }
  }
}

}  // namespace
}  // namespace influence

using namespace influence;

template <typename T>
bool fast_path_takes(const InfluenceScoresParams<T>& params) {
  constexpr std::int64_t kMaxGridRows = 65535;
  return device_capability() >= 80 && params.states == kStates &&
         params.decay != InfluenceDecay::kNone && params.channels > 0 &&
         params.channels % kLaneChannels == 0 && takes_packets(params.u, kLaneChannels) &&
         takes_packets(params.delta, kLaneChannels) &&
         ceil_div(params.channels, kChannels) <= kMaxGridRows &&
         fits_grid(chunk_count(params.sequences), 1);
}

template <typename T>
std::int64_t influence_scratch_fast(const InfluenceScoresParams<T>& params) {
  return params.batch * params.sequences.length * ceil_div(params.channels, kChannels) +
         chunk_count(params.sequences) * params.channels;
}

template <typename T>
cudaError_t influence_scores_fast(const InfluenceScoresParams<T>& params, cudaStream_t stream) {
  const std::int64_t channel_blocks = ceil_div(params.channels, kChannels);
  const auto chunks = static_cast<unsigned>(chunk_count(params.sequences));
  float* sums = params.partial + params.batch * params.sequences.length * channel_blocks;
  const dim3 chunk_grid(chunks, static_cast<unsigned>(channel_blocks));
  influence_chunk_kernel<<<chunk_grid, kThreads, 0, stream>>>(params, sums);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  const dim3 grid(chunks,
                  static_cast<unsigned>(ceil_div(channel_blocks, std::int64_t{kBlockTurns})));
  influence_partial_fast_kernel<<<grid, kThreads, 0, stream>>>(params, sums,
                                                               static_cast<int>(channel_blocks));
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  return reduce_influence(params, channel_blocks, stream);
}

template bool fast_path_takes(const InfluenceScoresParams<float>&);
template bool fast_path_takes(const InfluenceScoresParams<BFloat16>&);
template bool fast_path_takes(const InfluenceScoresParams<Float16>&);
template std::int64_t influence_scratch_fast(const InfluenceScoresParams<float>&);
template std::int64_t influence_scratch_fast(const InfluenceScoresParams<BFloat16>&);
template std::int64_t influence_scratch_fast(const InfluenceScoresParams<Float16>&);
template cudaError_t influence_scores_fast(const InfluenceScoresParams<float>&, cudaStream_t);
template cudaError_t influence_scores_fast(const InfluenceScoresParams<BFloat16>&, cudaStream_t);
template cudaError_t influence_scores_fast(const InfluenceScoresParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
