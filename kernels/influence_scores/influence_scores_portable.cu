// Influence scores, any device from sm_75, any N. With a = A log2(e), per token t and channel d
//   log2|dy| = log2(dt_t) + log2|u_t| + m + log2|sum_n sign(C_T[n] B_t[n]) 2^(e_n - m)|,
//   e_n = a[d,n] R_t[d] + log2|C_T[n]| + log2|B_t[n]|,   m = max_n e_n,
// so nothing underflows before the sum over states.
//
// Pass 1: one block of 8 warps walks one sequence backwards for 32 channels, in tiles of 32 tokens;
// a warp has 4 of the tokens, a lane one channel.
//   1. every warp loads its tokens (coalesced along channels) and stages dt';
//   2. the first warp turns dt' into R, whose running sum is double;
//   3. for every 16 states: log2|C_T B_t| and its sign are staged, then each lane folds them into
//      the (m, sum) of its tokens; beyond 16 states the sum is rescaled whenever m grows;
//   4. every warp reduces its tokens over its 32 channels and writes partial (B, L, ceil(D / 32)).
// Pass 2: influence_reduce.cuh.
// Shared memory: 32 x 32 and 2 of 32 x 16 Acc: 8 KiB for float, 16 KiB for double.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/influence_scores/influence_paths.h"
#include "kernels/influence_scores/influence_reduce.cuh"

namespace simba::kernels {
namespace {

constexpr int kChannels = kWarpSize;
constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kWarpTokens = 4;
constexpr int kTokens = kWarps * kWarpTokens;
constexpr int kStates = 16;

template <typename Acc>
struct Tile {
  Acc suffix[kTokens][kChannels];  // dt', then R
  Acc log2_cb[kTokens][kStates];   // log2|C_T B_t|
  Acc sign_cb[kTokens][kStates];
};

// What one lane knows of one token in its channel: log2(dt |u|), the sign of u, and the sum over
// states as sum * 2^factored_exponent(largest).
template <typename Acc>
struct Token {
  Acc log2_dt_u;
  bool u_negative;
  Acc largest;
  Acc sum;
};

template <typename T, typename Acc>
__device__ void load_token(const InfluenceScoresParams<T>& params, std::int64_t batch,
                           std::int64_t position, std::int64_t channel, Token<Acc>& token,
                           Acc& decay_dt) {
  const Acc u = to_accumulate(params.u.row(batch, position)[channel]);
  const Acc delta = to_accumulate(params.delta.row(batch, position)[channel]);
  const Acc biased = params.delta_bias ? delta + params.delta_bias[channel] : delta;
  token.log2_dt_u = log2_softplus(biased) + log2(fabs(u));
  token.u_negative = u < Acc(0);
  if (params.decay == InfluenceDecay::kNone) {
    decay_dt = Acc(0);
  } else {
    decay_dt = softplus(params.decay == InfluenceDecay::kFull ? biased : delta);
  }
}

// Replaces dt' by R = the sum of dt' over all later tokens; `later` carries it from tile to tile.
template <typename Acc>
__device__ void sum_suffix(Tile<Acc>& tile, int tokens, int column, double& later) {
  for (int t = tokens - 1; t >= 0; --t) {
    const Acc decay_dt = tile.suffix[t][column];
    tile.suffix[t][column] = static_cast<Acc>(later);
    later += decay_dt;
  }
}

// A state beyond N counts as a term of 0.
template <typename T, typename Acc>
__device__ void stage_states(const InfluenceScoresParams<T>& params, Tile<Acc>& tile,
                             std::int64_t batch, std::int64_t start, int tokens,
                             std::int64_t last_position, std::int64_t first_state) {
  const int column = threadIdx.x % kStates;
  const std::int64_t state = first_state + column;
  const bool exists = state < params.states;
  const Acc c = exists ? to_accumulate(params.C.row(batch, last_position)[state]) : Acc(0);
  for (int t = threadIdx.x / kStates; t < tokens; t += kThreads / kStates) {
    const Acc b = exists ? to_accumulate(params.B.row(batch, start + t)[state]) : Acc(0);
    tile.log2_cb[t][column] = log2(fabs(c)) + log2(fabs(b));
    tile.sign_cb[t][column] = (c < Acc(0)) == (b < Acc(0)) ? Acc(1) : Acc(-1);
  }
}

// Adds 16 states to a token. The terms' maximum ignores NaN; the sum does not.
template <typename Acc>
__device__ void add_states(Token<Acc>& token, const Acc (&decay)[kStates], Acc suffix,
                           const Acc (&log2_cb)[kStates], const Acc (&sign_cb)[kStates]) {
  Acc exponent[kStates];
  Acc largest = token.largest;
#pragma unroll
  for (int i = 0; i < kStates; ++i) {
    exponent[i] = decay[i] * suffix + log2_cb[i];
    largest = max(largest, exponent[i]);
  }
  const Acc factor = factored_exponent(largest);
  Acc sum = token.sum * exp2(token.largest - factor);
#pragma unroll
  for (int i = 0; i < kStates; ++i) sum += sign_cb[i] * exp2(exponent[i] - factor);
  token.largest = largest;
  token.sum = sum;
}

// log2|dy| of one channel as the reduction takes it: negative values count as 0 for kSignedMax.
template <typename Acc>
__device__ Acc log2_contribution(const Token<Acc>& token, InfluenceReduction reduction) {
  const Acc value = token.log2_dt_u + factored_exponent(token.largest) + log2(fabs(token.sum));
  const bool negative = token.u_negative != (token.sum < Acc(0));
  if (reduction == InfluenceReduction::kSignedMax && negative && value == value) {
    return -infinity<Acc>();
  }
  return reduction == InfluenceReduction::kL2 ? Acc(2) * value : value;
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_partial_kernel(InfluenceScoresParams<T> params) {
  using Acc = AccumulateType<T>;
  __shared__ Tile<Acc> tile;

  const std::int64_t channel_blocks = (params.channels + kChannels - 1) / kChannels;
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  const std::int64_t channel_block = blockIdx.x % channel_blocks;
  const std::int64_t batch = params.sequences.batch(sequence);
  const std::int64_t begin = params.sequences.begin(sequence);
  const std::int64_t end = params.sequences.end(sequence);

  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t channel = channel_block * kChannels + lane;
  const bool channel_exists = channel < params.channels;

  double later = 0;
  Acc decay[kStates];
  for (std::int64_t stop = end; stop > begin; stop -= kTokens) {
    const std::int64_t start = max(begin, stop - kTokens);
    const int tokens = static_cast<int>(stop - start);

    Token<Acc> mine[kWarpTokens];
#pragma unroll
    for (int i = 0; i < kWarpTokens; ++i) {
      const int t = warp * kWarpTokens + i;
      mine[i] = {-infinity<Acc>(), false, -infinity<Acc>(), Acc(0)};
      Acc decay_dt = 0;
      if (t < tokens && channel_exists) {
        load_token(params, batch, start + t, channel, mine[i], decay_dt);
      }
      tile.suffix[t][lane] = decay_dt;
    }
    __syncthreads();
    // Without states nobody needs R, and no barrier follows.
    if (warp == 0 && params.states > 0) sum_suffix(tile, tokens, lane, later);

    for (std::int64_t n = 0; n < params.states; n += kStates) {
      stage_states(params, tile, batch, start, tokens, end - 1, n);
      if (stop == end || params.states > kStates) {
#pragma unroll
        for (int i = 0; i < kStates; ++i) {
          const bool exists = channel_exists && n + i < params.states;
          decay[i] = exists ? params.A[channel * params.states + n + i] * kLog2E<Acc> : Acc(-1);
        }
      }
      __syncthreads();
#pragma unroll
      for (int i = 0; i < kWarpTokens; ++i) {
        const int t = warp * kWarpTokens + i;
        if (t < tokens) {
          add_states(mine[i], decay, tile.suffix[t][lane], tile.log2_cb[t], tile.sign_cb[t]);
        }
      }
      __syncthreads();
    }

#pragma unroll
    for (int i = 0; i < kWarpTokens; ++i) {
      const std::int64_t position = start + warp * kWarpTokens + i;
      if (position < stop) {
        const Acc value = log2_contribution(mine[i], params.reduction);
        const Acc reduced =
            is_maximum(params.reduction) ? warp_max_or_nan(value) : warp_log2_sum(value);
        if (lane == 0) {
          const std::int64_t flat = batch * params.sequences.length + position;
          params.partial[flat * channel_blocks + channel_block] = reduced;
        }
      }
    }
  }
}

}  // namespace

template <typename T>
std::int64_t influence_scratch_portable(const InfluenceScoresParams<T>& params) {
  return params.batch * params.sequences.length * ceil_div(params.channels, kChannels);
}

template <typename T>
cudaError_t influence_scores_portable(const InfluenceScoresParams<T>& params, cudaStream_t stream) {
  const std::int64_t channel_blocks = ceil_div(params.channels, kChannels);
  const auto blocks = static_cast<unsigned>(params.sequences.count * channel_blocks);
  if (blocks > 0) {
    influence_partial_kernel<<<blocks, kThreads, 0, stream>>>(params);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  return reduce_influence(params, channel_blocks, stream);
}

template std::int64_t influence_scratch_portable(const InfluenceScoresParams<float>&);
template std::int64_t influence_scratch_portable(const InfluenceScoresParams<double>&);
template std::int64_t influence_scratch_portable(const InfluenceScoresParams<BFloat16>&);
template std::int64_t influence_scratch_portable(const InfluenceScoresParams<Float16>&);
template cudaError_t influence_scores_portable(const InfluenceScoresParams<float>&, cudaStream_t);
template cudaError_t influence_scores_portable(const InfluenceScoresParams<double>&, cudaStream_t);
template cudaError_t influence_scores_portable(const InfluenceScoresParams<BFloat16>&,
                                               cudaStream_t);
template cudaError_t influence_scores_portable(const InfluenceScoresParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
