// Influence scores for N = 16. With a = A log2(e), per token t and channel d
//   log2|dy| = log2(dt_t |u_t|) + log2|sum_n +-2^e_n|,   e_n = a[d,n] R_t[d] + log2|C_T[n] B_t[n]|.
//
// R grows with the distance to the last token, and soon all states but the slowest few are too
// small to count: the sum over n stops where no state that is left can reach 2^-27 of the largest
// term, for which kept[d,n] = max of a[d,n'] over n' >= n bounds them all whatever the order of A.
//
// A sequence is cut into chunks of 128 tokens, a block takes a chunk and 64 channels, a warp 16
// tokens, a lane two channels.
//   Pass 1: dt' summed over every chunk.
//   Pass 2: R at the chunk's end, summed in double from those; the warps' sums give R at every
//   warp's
//     end; then every warp walks its tokens backwards, and a token's 64 channels are reduced.
//   Pass 3: influence_reduce.cuh.
// The blocks of pass 2 take several channel blocks in turn, since log2|C_T B_t| is the same for
// all.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/influence_scores/influence_paths.h"
#include "kernels/influence_scores/influence_reduce.cuh"

namespace simba::kernels {
namespace {

constexpr int kStates = 16;
constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kWarpTokens = 16;
constexpr int kChunk = kWarps * kWarpTokens;
constexpr int kLaneChannels = 2;
constexpr int kChannels = kLaneChannels * kWarpSize;
constexpr int kTogether = 4;       // tokens that a warp computes at once
constexpr int kBlockTurns = 2;     // channel blocks that a block of pass 2 takes in turn
constexpr float kNegligible = 27;  // bits below the largest term

// Chunks of all sequences, or more of packed ones.
std::int64_t chunk_count(const Sequences& sequences) {
  if (!sequences.cu_seqlens) return sequences.count * ceil_div(sequences.length, kChunk);
  return sequences.length / kChunk + sequences.count;
}

struct Chunk {
  std::int64_t sequence = -1;  // none
  std::int64_t begin = 0, end = 0, sequence_end = 0;
  std::int64_t after = 0;  // chunks of the same sequence that follow
};

// Chunk number `index`. Called by whole warps.
__device__ Chunk find_chunk(const Sequences& sequences, std::int64_t index) {
  const auto chunks_of = [&](std::int64_t s) {
    return (sequences.end(s) - sequences.begin(s) + kChunk - 1) / kChunk;
  };
  Chunk chunk;
  if (!sequences.cu_seqlens) {
    const std::int64_t each = chunks_of(0);
    chunk.sequence = index / each;
    index %= each;
  } else {
    for (std::int64_t first = 0; first < sequences.count && chunk.sequence < 0;
         first += kWarpSize) {
      const std::int64_t s = first + threadIdx.x % kWarpSize;
      const int mine = s < sequences.count ? static_cast<int>(chunks_of(s)) : 0;
      int until = mine;  // chunks of the sequences first..s
      for (int offset = 1; offset < kWarpSize; offset *= 2) {
        const int before = __shfl_up_sync(kAllLanes, until, offset);
        if (threadIdx.x % kWarpSize >= offset) until += before;
      }
      const unsigned holds = __ballot_sync(kAllLanes, index < until);
      if (holds) {
        const int lane = __ffs(static_cast<int>(holds)) - 1;
        chunk.sequence = first + lane;
        index -= __shfl_sync(kAllLanes, until - mine, lane);
      } else {
        index -= __shfl_sync(kAllLanes, until, kWarpSize - 1);
      }
    }
    if (chunk.sequence < 0) return chunk;
  }
  chunk.sequence_end = sequences.end(chunk.sequence);
  chunk.begin = sequences.begin(chunk.sequence) + index * kChunk;
  chunk.end = min(chunk.begin + kChunk, chunk.sequence_end);
  chunk.after = chunks_of(chunk.sequence) - 1 - index;
  return chunk;
}

template <typename T>
using Pair = Packet<T, kLaneChannels>;

// One lane's two channels of a warp's tokens. Those that are not there read as 0.
template <typename T>
__device__ void load_tokens(const Rows<const T>& rows, std::int64_t batch, std::int64_t start,
                            int tokens, std::int64_t channel, bool exists,
                            Pair<T> (&packets)[kWarpTokens]) {
#pragma unroll
  for (int t = 0; t < kWarpTokens; ++t) {
    packets[t] = {};
    if (exists && t < tokens) {
      packets[t] = load_packet<kLaneChannels>(rows.row(batch, start + t) + channel);
    }
  }
}

// dt' of the lane's tokens, 0 where there is none.
template <typename T>
__device__ void decay_steps(const Pair<T> (&delta)[kWarpTokens], const float (&bias)[kLaneChannels],
                            int tokens, float (&steps)[kWarpTokens][kLaneChannels]) {
#pragma unroll
  for (int t = 0; t < kWarpTokens; ++t) {
    float values[kLaneChannels];
    unpack(delta[t], values);
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      // R is a sum of thousands of these: an error that all have would add up.
      steps[t][c] = t < tokens ? softplus(values[c] + bias[c]) : 0;
    }
  }
}

template <typename T>
__device__ void load_biases(const InfluenceScoresParams<T>& params, std::int64_t channel,
                            bool exists, float (&bias)[kLaneChannels],
                            float (&decay_bias)[kLaneChannels]) {
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) {
    bias[c] = exists && params.delta_bias ? params.delta_bias[channel + c] : 0;
    decay_bias[c] = params.decay == InfluenceDecay::kFull ? bias[c] : 0;
  }
}

// Pass 1. sums: (chunks, D).
template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_chunk_kernel(InfluenceScoresParams<T> params, float* sums) {
  __shared__ float totals[kWarps][kChannels];
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x);
  if (chunk.sequence < 0 || chunk.begin == chunk.end) return;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const std::int64_t first_channel = std::int64_t{blockIdx.y} * kChannels;
  const std::int64_t channel = first_channel + lane * kLaneChannels;
  const bool exists = channel < params.channels;
  const std::int64_t start = chunk.begin + warp * kWarpTokens;
  const int tokens =
      static_cast<int>(max(std::int64_t(0), min(chunk.end - start, std::int64_t{kWarpTokens})));

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

struct ChunkTile {
  float log2_cb[kChunk][kStates];  // log2|C_T B_t|
  float largest_cb[kChunk];        // of a token
  unsigned negative[kChunk];       // bit n: C_T B_t < 0
  float a[kStates][kChannels];
  float kept[kStates][kChannels];
  float totals[kWarps][kChannels];  // of dt' over each warp's tokens
  double later[kWarps][kChannels];  // parts of the sum of dt' after the chunk
};

// log2|C_T B_t| of the chunk's tokens, 16 neighbouring threads a token.
template <typename T>
__device__ void stage_states(const InfluenceScoresParams<T>& params, ChunkTile& tile,
                             const Chunk& chunk, std::int64_t batch) {
  const int n = threadIdx.x % kStates;
  const float c = to_accumulate(params.C.row(batch, chunk.sequence_end - 1)[n]);
  for (int t = threadIdx.x / kStates; t < kChunk; t += kThreads / kStates) {
    const bool exists = chunk.begin + t < chunk.end;
    const float b = exists ? to_accumulate(params.B.row(batch, chunk.begin + t)[n]) : 0;
    const float value = log2f(fabsf(c)) + log2f(fabsf(b));
    float largest = value;
#pragma unroll
    for (int offset = 1; offset < kStates; offset *= 2) {
      largest = max_or_nan(largest, __shfl_xor_sync(kAllLanes, largest, offset));
    }
    const unsigned negative = __ballot_sync(kAllLanes, (c < 0) != (b < 0));
    tile.log2_cb[t][n] = value;
    if (n == 0) {
      tile.largest_cb[t] = largest;
      tile.negative[t] = negative >> (threadIdx.x % kWarpSize) & 0xffffu;
    }
  }
}

template <typename T>
__device__ void stage_decays(const InfluenceScoresParams<T>& params, ChunkTile& tile,
                             std::int64_t first_channel) {
  const std::int64_t channel = first_channel + threadIdx.x;
  if (threadIdx.x >= kChannels) return;
  float kept = -infinity<float>();
#pragma unroll
  for (int n = kStates - 1; n >= 0; --n) {
    const float a =
        channel < params.channels ? params.A[channel * kStates + n] * kLog2E<float> : -1;
    kept = max_or_nan(kept, a);
    tile.a[n][threadIdx.x] = a;
    tile.kept[n][threadIdx.x] = kept;
  }
}

// The sum over states as sum * 2^largest, or of nothing but zeros as sum = 0.
struct Term {
  float largest;
  float sum;
};

// Of one token in two channels. Called by whole warps, which go on as long as one lane has to.
__device__ inline void add_states(const ChunkTile& tile, int t, int column,
                                  const float (&later)[kLaneChannels],
                                  Term (&terms)[kLaneChannels]) {
  const unsigned negative = tile.negative[t];
  const float bound = tile.largest_cb[t] + kNegligible;
#pragma unroll
  for (Term& term : terms) term = {-infinity<float>(), 0};
#pragma unroll 1
  for (int n = 0; n < kStates; ++n) {
    bool goes_on = n == 0;
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      // Not "below": NaN goes on.
      goes_on |= !(fmaf(tile.kept[n][column + c], later[c], bound) <= terms[c].largest);
    }
    if (!__any_sync(kAllLanes, goes_on)) break;
    const float log2_cb = tile.log2_cb[t][n];
    const float sign = negative >> n & 1 ? -1.0f : 1.0f;
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      const float exponent = fmaf(tile.a[n][column + c], later[c], log2_cb);
      const float largest = fmaxf(terms[c].largest, exponent);
      const float factor = factored_exponent(largest);
      terms[c].sum =
          terms[c].sum * fast_exp2(terms[c].largest - factor) + sign * fast_exp2(exponent - factor);
      terms[c].largest = largest;
    }
  }
}

// log2|dy| as the reduction takes it: of its square for kL2, -inf for a negative one with
// kSignedMax.
__device__ inline float log2_contribution(const Term& term, float log2_dt_u, bool u_negative,
                                          InfluenceReduction reduction) {
  const float value = log2_dt_u + factored_exponent(term.largest) + log2f(fabsf(term.sum));
  const bool negative = u_negative != (term.sum < 0);
  if (reduction == InfluenceReduction::kSignedMax && negative && value == value) {
    return -infinity<float>();
  }
  return reduction == InfluenceReduction::kL2 ? 2 * value : value;
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

// What a lane knows of its channels while a warp walks its tokens.
struct LaneChannels {
  float bias[kLaneChannels];
  float slowest[kLaneChannels];  // a of state 0
  float others[kLaneChannels];   // bound of the other states'
};

// log2|dy| where state 0 alone counts and dt |u| is an ordinary number. Says whether that is so.
__device__ inline bool lone_state(const ChunkTile& tile, int t, const LaneChannels& channels, int c,
                                  float later, float delta, float u, InfluenceReduction reduction,
                                  float& value) {
  const float exponent = fmaf(channels.slowest[c], later, tile.log2_cb[t][0]);
  const float rest = fmaf(channels.others[c], later, tile.largest_cb[t] + kNegligible);
  const float dt_u = fast_softplus(delta + channels.bias[c]) * fabsf(u);
  value = exponent + fast_log2(dt_u);
  const bool negative = (u < 0) != ((tile.negative[t] & 1) != 0);
  if (reduction == InfluenceReduction::kSignedMax && negative) value = -infinity<float>();
  if (reduction == InfluenceReduction::kL2) value *= 2;
  return rest <= exponent && ((dt_u >= 0x1p-100f && dt_u <= 0x1p100f) || (u == 0 && dt_u == 0));
}

// Pass 2.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_partial_fast_kernel(InfluenceScoresParams<T> params, const float* sums,
                                  int channel_blocks) {
  __shared__ ChunkTile tile;
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x);
  if (chunk.sequence < 0 || chunk.begin == chunk.end) return;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const std::int64_t start = chunk.begin + warp * kWarpTokens;
  const int tokens =
      static_cast<int>(max(std::int64_t(0), min(chunk.end - start, std::int64_t{kWarpTokens})));
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
      if (!__all_sync(kAllLanes, lone)) {
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

template <typename T>
bool fast_path_takes(const InfluenceScoresParams<T>& params) {
  int device = 0, major = 0;
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess) {
    return false;
  }
  constexpr std::int64_t kMaxGridRows = 65535;
  return major >= 8 && params.states == kStates && params.decay != InfluenceDecay::kNone &&
         params.channels > 0 && params.channels % kLaneChannels == 0 &&
         takes_packets(params.u, kLaneChannels) && takes_packets(params.delta, kLaneChannels) &&
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
