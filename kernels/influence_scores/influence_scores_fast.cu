// Influence scores for N = 16, a token per lane: per token t and channel d
//   log2|dy| = log2(dt_t |u_t|) + the sum over states (influence_states.cuh).
//
//   Passes 1, 2: R at every chunk's end, and bounds of the chunk's log2|dy| (influence_totals.cuh).
//   Pass 3: a warp takes a chunk and some channels, a pair at a time. For a maximum it begins with
//     the pair of the highest bound and leaves out every pair that cannot reach what each of its
//     tokens has already. Far from the last token few channels can; near it all must be computed, so
//     a sequence's last chunks are shared among more warps. Maxima are exact whatever is left out
//     and do not depend on the order, so scores repeat bit for bit.
//   Pass 4, for sums: influence_reduce.cuh.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/influence_scores/influence_paths.h"
#include "kernels/influence_scores/influence_reduce.cuh"
#include "kernels/influence_scores/influence_states.cuh"
#include "kernels/influence_scores/influence_totals.cuh"

namespace simba::kernels {
namespace influence {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kNear = 3;  // last chunks of a sequence whose slabs a whole block takes

// The blocks of pass 3: first those of near chunks, a slab each, then those of the others, a slab
// per warp.
struct Blocks {
  std::int64_t slabs, near, far;

  template <typename T>
  explicit Blocks(const InfluenceScoresParams<T>& params)
      : slabs(ceil_div(params.channels, kSlab)),
        near(params.sequences.count * kNear * slabs),
        far(chunk_count(params.sequences) * ceil_div(slabs, kWarps)) {}
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
      chunk = chunk_from_end(sequences, place / kNear, static_cast<int>(place % kNear));
    } else {
      const unsigned groups = (slabs + kWarps - 1) / kWarps;
      const unsigned place = block - static_cast<unsigned>(blocks.near);
      slab = place % groups * kWarps + warp;
      chunk = find_chunk(sequences, place / groups);
      if (chunk.after < kNear) chunk.sequence = -1;
    }
  }

  __device__ unsigned pairs() const {
    constexpr unsigned kEighths = 0x01010101u;
    return near ? kEighths << threadIdx.x / kWarpSize : kAllLanes;
  }
};
static_assert(kWarps == 8);

// Floats in the order of signed integers, NaN above all.
__device__ inline int ordered(float value) {
  const int bits = __float_as_int(value);
  return value != value ? 0x7fffffff : bits ^ (bits >> 31 & 0x7fffffff);
}

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

// A pair of channels: loads first, since the next pair's travel while one is computed.
template <typename T>
struct PairWork {
  std::int64_t channel;
  float delta[kPair], u[kPair];

  __device__ void load(const InfluenceScoresParams<T>& params, const Token& token,
                       std::int64_t first_channel, int pair) {
    channel = first_channel + pair * kPair;
    load_pair(params.delta, token.batch, token.position, channel, token.exists, delta);
    load_pair(params.u, token.batch, token.position, channel, token.exists, u);
  }
};

// The sum of `step` over the lanes after this one, and none of them subtracted.
__device__ inline float sum_after(float step) {
  const int lane = threadIdx.x % kWarpSize;
#pragma unroll
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const float after = __shfl_down_sync(kAllLanes, step, offset);
    if (lane + offset < kWarpSize) step += after;
  }
  const float later = __shfl_down_sync(kAllLanes, step, 1);
  return lane == kWarpSize - 1 ? 0 : later;
}

// What a lane knows of its pair of channels, handed to all lanes when the pair is computed.
struct LanePair {
  float later[kPair], slowest[kPair], bias[kPair];
  float bound = -infinity<float>();  // of log2|dy| in the chunk

  template <typename T>
  __device__ LanePair(const InfluenceScoresParams<T>& params, const Totals& totals,
                      const Chunk& chunk, std::int64_t channel, float size) {
    float decay_bias[kPair];
    const bool exists = channel < params.channels;
    load_biases(params, channel, exists, bias, decay_bias);
    if (!exists) return;
    // Far above what rounding can do to a score of this size.
    constexpr float kSlack = 0x1p-4f, kRelativeSlack = 0x1p-18f;
#pragma unroll
    for (int c = 0; c < kPair; ++c) {
      const std::int64_t place = chunk.index * params.channels + channel + c;
      later[c] = totals.later[place];
      slowest[c] = totals.slowest[channel + c];
      const float decay = slowest[c] * later[c];
      const float slack = fmaf(fabsf(decay), kRelativeSlack, kSlack);
      bound = max_or_nan(bound, decay + totals.peak[place] + size + slack);
    }
  }
};

// log2|dy| of the lane's token in a pair of channels, as the reduction takes it: of its square for
// kL2, -inf for a negative one with kSignedMax.
template <typename T>
__device__ void contributions(const InfluenceScoresParams<T>& params, const Token& token,
                              const Coefficients& coefficients, const PairWork<T>& work,
                              const LanePair& own, int pair, float (&values)[kPair]) {
  float later[kPair], slowest[kPair], bias[kPair], R[kPair], size[kPair];
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    later[c] = __shfl_sync(kAllLanes, own.later[c], pair);
    slowest[c] = __shfl_sync(kAllLanes, own.slowest[c], pair);
    bias[c] = __shfl_sync(kAllLanes, own.bias[c], pair);
  }
  const PairStates states(params, work.channel, slowest, later);
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    const float biased = work.delta[c] + bias[c];
    if (params.decay == InfluenceDecay::kNone) {
      R[c] = 0;
    } else {
      const bool full = params.decay == InfluenceDecay::kFull;
      const float step = decay_step(work.delta[c], full ? bias[c] : 0);
      R[c] = later[c] + sum_after(token.exists ? step : 0);
    }
    size[c] = fast_softplus(biased) * fabsf(work.u[c]);
  }
  const Sums sums = sum_states(states, coefficients, R);
  bool ordinary = token.ordinary;
  bool negative[kPair];
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    values[c] = fmaf(slowest[c], R[c], fast_log2(size[c] * fabsf(sums.sum[c])));
    negative[c] = (work.u[c] < 0) != (sums.sum[c] < 0);
    ordinary &= sums.size[c] >= kCounts * token.size &&
                ((size[c] >= 0x1p-50f && size[c] <= 0x1p50f) || (work.u[c] == 0 && size[c] == 0));
  }
  if (!ordinary && token.exists) {
#pragma unroll
    for (int c = 0; c < kPair; ++c) {
      values[c] = log2_of_any(params, token, work.channel + c, R[c], work.delta[c] + bias[c],
                              work.u[c], negative[c]);
    }
  }
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    if (params.reduction == InfluenceReduction::kL2) values[c] *= 2;
    if (params.reduction == InfluenceReduction::kSignedMax && negative[c] && values[c] == values[c])
      values[c] = -infinity<float>();
  }
}

// Pass 3. Of sums, partial: (B, L, slabs).
template <typename T>
__global__ void __launch_bounds__(kThreads)
    influence_scores_kernel(const __grid_constant__ InfluenceScoresParams<T> params, Totals totals,
                            Blocks blocks, float* partial) {
  __shared__ Coefficients coefficients[kWarps];
  __shared__ float parts[kWarps][kWarpSize];
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const Share share(params.sequences, blocks);
  const Chunk& chunk = share.chunk;
  if (!chunk.exists() || share.slab >= blocks.slabs) return;  // near: whole blocks alike
  const bool maximum = is_maximum(params.reduction);
  const Token token = stage_token(params, chunk, coefficients[warp]);
  const std::int64_t flat = token.batch * params.sequences.length + token.position;
  const std::int64_t first_channel = share.slab * kSlab;

  // What other warps have found already.
  float begin = -infinity<float>();
  if (maximum && token.exists) begin = __ldcg(params.scores + flat);
  const float beyond = token.exists ? -infinity<float>() : infinity<float>();
  Reduced reduced(maximum, begin);
  const float bounded = token.ordinary ? log2f(token.size) : infinity<float>();
  const LanePair own(params, totals, chunk, first_channel + lane * kPair,
                     warp_max_or_nan(token.exists ? bounded : -infinity<float>()));

  // Pairs that may raise a token: a maximum that is there for every token rules out lower bounds.
  const auto may_raise = [&] {
    if (!maximum) return __ballot_sync(kAllLanes, first_channel + lane * kPair < params.channels);
    const int lowest = __reduce_min_sync(kAllLanes, ordered(max_or_nan(reduced.value(), beyond)));
    return __ballot_sync(kAllLanes, ordered(own.bound) > lowest);
  };
  unsigned left = share.pairs() & may_raise();
  const auto highest = [&] {
    const bool candidate = left >> lane & 1;
    const int bound = candidate ? ordered(own.bound) : static_cast<int>(0x80000000);
    const int best = __reduce_max_sync(kAllLanes, bound);
    return __ffs(static_cast<int>(__ballot_sync(kAllLanes, candidate && bound == best))) - 1;
  };
  int pair = left ? highest() : -1;
  PairWork<T> work;
  if (pair >= 0) work.load(params, token, first_channel, pair);
  while (pair >= 0) {
    left &= ~(1u << pair);
    const int next = __ffs(static_cast<int>(left)) - 1;
    PairWork<T> next_work = work;
    if (next >= 0) next_work.load(params, token, first_channel, next);
    float values[kPair];
    contributions(params, token, coefficients[warp], work, own, pair, values);
    reduced.add(values);
    left &= may_raise();
    pair = next;
    work = next_work;
    if (pair >= 0 && !(left >> pair & 1)) {  // ruled out meanwhile
      pair = __ffs(static_cast<int>(left)) - 1;
      if (pair >= 0) work.load(params, token, first_channel, pair);
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

template <typename T>
std::int64_t influence_scratch_fast(const InfluenceScoresParams<T>& params) {
  const std::int64_t tokens = params.batch * params.sequences.length;
  const std::int64_t partial =
      is_maximum(params.reduction) ? 0 : tokens * Blocks(params).slabs;
  return partial + Totals::elements(chunk_count(params.sequences), params.channels);
}

template <typename T>
cudaError_t influence_scores_fast(const InfluenceScoresParams<T>& params, cudaStream_t stream) {
  const Blocks blocks(params);
  const bool maximum = is_maximum(params.reduction);
  // influence_reduce_kernel reads the partial sums from the scratch's begin.
  const std::int64_t tokens = params.batch * params.sequences.length;
  const Totals totals(params.partial + (maximum ? 0 : tokens * blocks.slabs),
                      chunk_count(params.sequences), params.channels);
  if (const cudaError_t error = find_totals(params, totals, stream); error != cudaSuccess) {
    return error;
  }
  const auto grid = static_cast<unsigned>(blocks.near + blocks.far);
  influence_scores_kernel<<<grid, kThreads, 0, stream>>>(params, totals, blocks, params.partial);
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
