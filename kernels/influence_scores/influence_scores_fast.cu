// Influence scores for N = 16, a token per lane: per token t and channel d
//   log2|dy| = log2(dt_t |u_t|) + the sum over states (influence_states.cuh).
//
//   Passes 1, 2: R at every chunk's end, and bounds of the chunk's log2|dy| (influence_totals.cuh).
//   For maxima, first guesses of the scores from the channels of the highest bounds.
//   Pass 3: a warp takes a chunk and some channels, a pair at a time (influence_pairs.cuh). For a
//     maximum it begins with the pair of the highest bound and leaves out every pair that cannot
//     reach what each of its tokens has already. Far from the last token few channels can; near it,
//     and for sums, nearly all must be computed, and a chunk is shared among more warps. Maxima are
//     exact whatever is left out and do not depend on the order, so scores repeat bit for bit.
//   Pass 4, for sums: influence_reduce.cuh.
#include <algorithm>

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/influence_scores/influence_pairs.cuh"
#include "kernels/influence_scores/influence_paths.h"
#include "kernels/influence_scores/influence_reduce.cuh"

namespace simba::kernels {
namespace influence {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kNear = 8;  // last chunks of a sequence that are near where R grows as it does

// The blocks of pass 3: first those of near chunks, one slab each, then those of the others, one
// slab per warp.
struct Blocks {
  std::int64_t slabs, near_chunks, near, far;

  template <typename T>
  explicit Blocks(const InfluenceScoresParams<T>& params)
      : slabs(ceil_div(params.channels, kSlab)), far(0) {
    const std::int64_t longest = ceil_div(params.sequences.length, kChunk);
    const bool bounded = is_maximum(params.reduction) && params.decay == InfluenceDecay::kNoBias;
    near_chunks = bounded ? std::min<std::int64_t>(kNear, longest) : longest;
    if (params.sequences.cu_seqlens && !bounded) {
      near = chunk_count(params.sequences) * slabs;
      near_chunks = 0;  // found by number: a packed sequence may be far shorter than the longest
      return;
    }
    near = params.sequences.count * near_chunks * slabs;
    if (longest > near_chunks) far = chunk_count(params.sequences) * ceil_div(slabs, kWarps);
  }
};

// A warp's share of pass 3: pairs first_pair, first_pair + pair_step, ... of a slab.
struct Share {
  Chunk chunk;
  std::int64_t slab;
  bool near;

  __device__ Share(const Sequences& sequences, const Blocks& blocks) {
    const int warp = threadIdx.x / kWarpSize;
    const unsigned block = blockIdx.x;
    const auto slabs = static_cast<unsigned>(blocks.slabs);
    near = block < blocks.near;
    if (near) {
      slab = block % slabs;
      const unsigned place = block / slabs;
      const auto each = static_cast<unsigned>(blocks.near_chunks);
      chunk = each == 0 ? find_chunk(sequences, place)
                        : chunk_from_end(sequences, place / each, static_cast<int>(place % each));
    } else {
      const unsigned groups = (slabs + kWarps - 1) / kWarps;
      const unsigned place = block - static_cast<unsigned>(blocks.near);
      slab = place % groups * kWarps + warp;
      chunk = find_chunk(sequences, place / groups);
      if (chunk.after < blocks.near_chunks) chunk.sequence = -1;
    }
  }

  __device__ unsigned pairs() const {
    constexpr unsigned kEighths = 0x01010101u;
    return near ? kEighths << threadIdx.x / kWarpSize : kAllLanes;
  }
};
static_assert(kWarps == 8);

// Raises `to` to the larger; NaN is the largest.
__device__ inline void raise(float* to, float value) {
  if (value != value) {
    atomicMax(reinterpret_cast<int*>(to), 0x7fffffff);
  } else if (value += 0.0f; value >= 0) {  // -0 becomes 0
    atomicMax(reinterpret_cast<int*>(to), __float_as_int(value));
  } else {
    atomicMin(reinterpret_cast<unsigned*>(to), __float_as_uint(value));
  }
}

// One lane's token over the channels seen: the maximum, or the sum as sum * 2^largest.
class Reduced {
 public:
  __device__ Reduced(bool maximum, float begin) : maximum_(maximum), largest_(begin) {}

  __device__ void add(const float (&values)[kPair]) {
    const float before = largest_;
#pragma unroll
    for (float value : values) largest_ = max_or_nan(largest_, value);
    if (maximum_) return;
    const float factor = factored_exponent(largest_);
    sum_ *= fast_exp2(before - factor);
#pragma unroll
    for (float value : values) sum_ += fast_exp2(value - factor);
  }

  __device__ float value() const {
    return maximum_ ? largest_ : factored_exponent(largest_) + log2f(sum_);
  }

 private:
  bool maximum_;
  float largest_, sum_ = 0;
};

// Before pass 3, for maxima: a chunk's most promising pair of each eighth of the channels gives
// scores that rule out most others.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_seed_kernel(const __grid_constant__ InfluenceScoresParams<T> params, Totals totals,
                          bool packets) {
  __shared__ Coefficients coefficients[kWarps];
  __shared__ float parts[kWarps][kWarpSize];
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x);
  if (!chunk.exists()) return;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const Token<T> token = stage_token(params, chunk, packets, coefficients[warp]);
  std::int64_t channel = threadIdx.x * kPair;
  LanePair own(totals, chunk, params.channels, channel);
#pragma unroll 4
  for (std::int64_t d = channel; d < params.channels; d += kThreads * kPair) {
    const LanePair other(totals, chunk, params.channels, d);
    if (ordered(other.bound) > ordered(own.bound)) own = other, channel = d;
  }
  const int best = warp_max(ordered(own.bound));
  const int winner =
      __ffs(static_cast<int>(__ballot_sync(kAllLanes, ordered(own.bound) == best))) - 1;
  float values[kPair] = {-infinity<float>(), -infinity<float>()};
  const std::int64_t chosen = __shfl_sync(kAllLanes, channel, winner);
  if (chosen < params.channels) {
    PairWork<T> work;
    work.load(params, token, chosen);
    contributions(params, token, coefficients[warp], work, own, winner, infinity<float>(),
                  -infinity<float>(), values);
  }
  parts[warp][lane] = max_or_nan(values[0], values[1]);
  __syncthreads();
  if (warp != 0) return;
  float value = parts[0][lane];
#pragma unroll
  for (int w = 1; w < kWarps; ++w) value = max_or_nan(value, parts[w][lane]);
  if (token.exists) params.scores[flat_begin(params.sequences, chunk) + lane] = value;
  const float lowest =
      from_ordered(warp_min(token.exists ? ordered(value) : ordered(infinity<float>())));
  const float hurdle = lowest - warp_max_or_nan(token.largest());
  // Of infinities nothing is known.
  if (lane == 0) {
    totals.hurdle[chunk.index] = hurdle == hurdle || lowest != lowest ? hurdle : -infinity<float>();
  }
}

// Pass 3. Of sums, partial: (B, L, slabs). packets: as of stage_token.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_scores_kernel(const __grid_constant__ InfluenceScoresParams<T> params, Totals totals,
                            Blocks blocks, bool packets, float* partial) {
  __shared__ Coefficients coefficients[kWarps];
  __shared__ float parts[kWarps][kWarpSize];
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const Share share(params.sequences, blocks);
  const Chunk& chunk = share.chunk;
  if (!chunk.exists() || share.slab >= blocks.slabs) return;  // near: whole blocks alike
  const bool maximum = is_maximum(params.reduction);
  const std::int64_t first_channel = share.slab * kSlab;
  const std::int64_t own_channel = first_channel + lane * kPair;
  const LanePair own(totals, chunk, params.channels, own_channel);
  const bool hopeful = !maximum || ordered(own.bound) > ordered(totals.hurdle[chunk.index]);
  unsigned left =
      share.pairs() & __ballot_sync(kAllLanes, own_channel < params.channels && hopeful);
  if (share.near ? !__syncthreads_or(left != 0) : left == 0) return;

  const Token<T> token = stage_token(params, chunk, packets, coefficients[warp]);
  const std::int64_t flat = flat_begin(params.sequences, chunk) + lane;
  // What other warps have found already. Tokens that do not exist never ask for more.
  float begin = token.exists ? -infinity<float>() : infinity<float>();
  if (maximum && token.exists) begin = __ldcg(params.scores + flat);
  Reduced reduced(maximum, begin);
  const auto enough = [&] { return maximum ? reduced.value() : -infinity<float>(); };
  const float largest = token.largest();
  const float warp_largest = warp_max_or_nan(largest);
  // Pairs that may raise a token: a maximum that is there for every token rules out lower bounds.
  const auto may_raise = [&] {
    if (!maximum) return kAllLanes;
    const int lowest = warp_min(ordered(enough()));
    return __ballot_sync(kAllLanes, ordered(own.bound + warp_largest) > lowest);
  };
  left &= may_raise();
  if (token.audible == 0 && maximum) left = 0;
  const auto highest = [&] {
    const bool candidate = left >> lane & 1;
    const int bound = candidate ? ordered(own.bound) : static_cast<int>(0x80000000);
    const int best = warp_max(bound);
    return __ffs(static_cast<int>(__ballot_sync(kAllLanes, candidate && bound == best))) - 1;
  };
  int pair = left ? highest() : -1;
  PairWork<T> work;
  if (pair >= 0) work.load(params, token, first_channel + pair * kPair);
  while (pair >= 0) {
    left &= ~(1u << pair);
    const int next = __ffs(static_cast<int>(left)) - 1;
    PairWork<T> next_work = work;
    if (next >= 0) next_work.load(params, token, first_channel + next * kPair);
    float values[kPair];
    if (contributions(params, token, coefficients[warp], work, own, pair, largest, enough(),
                      values)) {
      reduced.add(values);
      if (maximum) left &= may_raise();
    }
    pair = next;
    work = next_work;
    if (pair >= 0 && !(left >> pair & 1)) {  // ruled out meanwhile
      pair = __ffs(static_cast<int>(left)) - 1;
      if (pair >= 0) work.load(params, token, first_channel + pair * kPair);
    }
  }

  float value = reduced.value();
  if (share.near) {
    parts[warp][lane] = value;
    __syncthreads();
    if (warp != 0) return;
    if (maximum) {
#pragma unroll
      for (int w = 1; w < kWarps; ++w) value = max_or_nan(value, parts[w][lane]);
    } else {
      Reduced sum(false, -infinity<float>());
#pragma unroll
      for (int w = 0; w < kWarps; w += kPair) sum.add({parts[w][lane], parts[w + 1][lane]});
      value = sum.value();
    }
  }
  if (!token.exists) return;
  if (!maximum) {
    partial[flat * blocks.slabs + share.slab] = value;
  } else if (ordered(value) > ordered(begin)) {
    raise(params.scores + flat, value);
  }
}

}  // namespace
}  // namespace influence

using namespace influence;

template <typename T>
bool fast_path_takes(const InfluenceScoresParams<T>& params) {
  constexpr std::int64_t kMaxGridRows = 65535;
  const Blocks blocks(params);
  return device_capability() >= 80 && params.states == kStates && params.channels > 0 &&
         params.channels % kPair == 0 && takes_packets(params.u, kPair) &&
         takes_packets(params.delta, kPair) && blocks.slabs <= kMaxGridRows / 2 &&
         fits_grid(blocks.near + blocks.far, 1);
}

// Partial sums before the totals, whose pairs must stay aligned.
template <typename T>
std::int64_t partial_elements(const InfluenceScoresParams<T>& params) {
  if (is_maximum(params.reduction)) return 0;
  const std::int64_t tokens = params.batch * params.sequences.length;
  return ceil_div(tokens * Blocks(params).slabs, kPair) * kPair;
}

template <typename T>
std::int64_t influence_scratch_fast(const InfluenceScoresParams<T>& params) {
  return partial_elements(params) +
         Totals::elements(chunk_count(params.sequences), params.sequences.count, params.channels);
}

template <typename T>
cudaError_t influence_scores_fast(const InfluenceScoresParams<T>& params, cudaStream_t stream) {
  const Blocks blocks(params);
  const bool maximum = is_maximum(params.reduction);
  const Totals totals(params.partial + partial_elements(params), chunk_count(params.sequences),
                      params.sequences.count, params.channels);
  if (const cudaError_t error = find_totals(params, totals, stream); error != cudaSuccess) {
    return error;
  }
  const bool packets = takes_packets(params.B, 8) && takes_packets(params.C, 8);
  if (maximum) {
    const auto chunks = static_cast<unsigned>(chunk_count(params.sequences));
    influence_seed_kernel<<<chunks, kThreads, 0, stream>>>(params, totals, packets);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  const auto grid = static_cast<unsigned>(blocks.near + blocks.far);
  influence_scores_kernel<<<grid, kThreads, 0, stream>>>(params, totals, blocks, packets,
                                                         params.partial);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess || maximum) return error;
  return reduce_influence(params, blocks.slabs, stream);
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
