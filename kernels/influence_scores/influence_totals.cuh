// What the fast influence kernels know of each chunk and channel before they compute a score:
//   later  R at the chunk's end: the sum of dt' over every token of the sequence after the chunk
//   peak   a bound of log2(dt_t |u_t|) over the chunk's tokens
// and of each sequence and channel: slowest, the largest A log2(e) of the states that C_T does not
// silence. Since R only grows towards older tokens and A is negative, the chunk's log2|dy| are at
// most
//   slowest later + peak + log2 of the sum over n of |C_T[n] B_t[n]|.
// Channels for which slowest later + peak is not above the chunk's hurdle raise none of its scores.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/influence_scores/influence_chunks.cuh"

namespace simba::kernels::influence {

struct Totals {
  float* later;    // (chunks, D)
  float* peak;     // (chunks, D)
  float* slowest;  // (S, D)
  float* hurdle;   // (chunks)

  Totals(float* memory, std::int64_t chunks, std::int64_t sequences, std::int64_t channels)
      : later(memory),
        peak(later + chunks * channels),
        slowest(peak + chunks * channels),
        hurdle(slowest + sequences * channels) {}
  static std::int64_t elements(std::int64_t chunks, std::int64_t sequences, std::int64_t channels) {
    return (2 * chunks + sequences) * channels + chunks;
  }
};

inline constexpr int kTotalsWarps = 4;
inline constexpr int kTotalsThreads = kTotalsWarps * kWarpSize;
inline constexpr int kWarpTokens = kChunk / kTotalsWarps;

// Of one channel over some tokens.
struct Extent {
  float decay = 0;
  float delta = -infinity<float>();  // the largest
  float size = 0;                    // the largest |u|

  __device__ void add(const Extent& other) {
    decay += other.decay;
    delta = max_or_nan(delta, other.delta);
    size = max_or_nan(size, other.size);
  }
};

// The sums of dt' and the peaks; a block has a chunk of a slab of channels, its warps 8 tokens
// each. Before maxima: scores of -inf, which the last kernel raises.
template <typename T>
__global__ void __launch_bounds__(kTotalsThreads)
    influence_totals_kernel(InfluenceScoresParams<T> params, Totals totals) {
  __shared__ Extent extents[kTotalsWarps][kSlab];
  const std::int64_t first_channel = std::int64_t{blockIdx.y} * kSlab;
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x);
  if (!chunk.exists()) return;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);

  const std::int64_t channel = first_channel + lane * kPair;
  const bool exists = channel < params.channels;
  float bias[kPair], decay_bias[kPair];
  load_biases(params, channel, exists, bias, decay_bias);
  const int start = warp * kWarpTokens;
  const int tokens = exists ? chunk.tokens() - start : 0;
  const T* delta_row = params.delta.row(batch, chunk.begin + start) + channel;
  const T* u_row = params.u.row(batch, chunk.begin + start) + channel;
  float delta[kWarpTokens][kPair], u[kWarpTokens][kPair];
#pragma unroll
  for (int t = 0; t < kWarpTokens; ++t) {
    load_pair(delta_row, t < tokens, delta[t]);
    load_pair(u_row, t < tokens, u[t]);
    delta_row += params.delta.row_stride;
    u_row += params.u.row_stride;
  }
  Extent extent[kPair];
#pragma unroll
  for (int t = 0; t < kWarpTokens; ++t) {
    if (t >= tokens) break;
#pragma unroll
    for (int c = 0; c < kPair; ++c) {
      extent[c].add({decay_step(delta[t][c], decay_bias[c]), delta[t][c], fabsf(u[t][c])});
    }
  }
#pragma unroll
  for (int c = 0; c < kPair; ++c) extents[warp][lane * kPair + c] = extent[c];
  __syncthreads();

  const std::int64_t mine = first_channel + threadIdx.x;
  if (threadIdx.x >= kSlab || mine >= params.channels) return;
  Extent whole = extents[0][threadIdx.x];
#pragma unroll
  for (int w = 1; w < kTotalsWarps; ++w) whole.add(extents[w][threadIdx.x]);
  const float mine_bias = params.delta_bias ? params.delta_bias[mine] : 0;
  const std::int64_t place = chunk.index * params.channels + mine;
  totals.later[place] = params.decay == InfluenceDecay::kNone ? 0 : whole.decay;
  totals.peak[place] = fast_log2_softplus(whole.delta + mine_bias) + log2f(whole.size);
}

inline constexpr int kSuffixWarps = 8;

// From sums over chunks to sums over all chunks that follow, in place: a block has 32 channels of a
// sequence, its warps a stretch of chunks each.
template <typename T>
__global__ void __launch_bounds__(kSuffixWarps* kWarpSize)
    influence_suffix_kernel(InfluenceScoresParams<T> params, Totals totals) {
  __shared__ double sums[kSuffixWarps][kWarpSize];
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t channel = std::int64_t{blockIdx.y} * kWarpSize + lane;
  const bool exists = channel < params.channels;
  const std::int64_t s = blockIdx.x;
  const int chunks = chunks_of(params.sequences, s);
  float* sum = totals.later + chunks_before(params.sequences, s) * params.channels + channel;
  if (warp == 0 && exists && chunks > 0) {
    const T* C = params.C.row(params.sequences.batch(s), params.sequences.end(s) - 1);
    float slowest = -infinity<float>();
#pragma unroll
    for (int n = 0; n < kStates; ++n) {
      const float a = params.A[channel * kStates + n] * kLog2E<float>;
      if (to_accumulate(C[n]) != 0) slowest = max_or_nan(slowest, a);
    }
    totals.slowest[s * params.channels + channel] = slowest == -infinity<float>() ? 0 : slowest;
  }

  constexpr int kTogether = 8;  // loads in flight
  const int each = (chunks + kSuffixWarps - 1) / kSuffixWarps;
  const int begin = min(warp * each, chunks), end = min(begin + each, chunks);
  float values[kTogether];
  const auto load = [&](int last) {  // of the chunks before `last`, newest first
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const std::int64_t chunk = last - 1 - i;
      values[i] = exists && chunk >= begin ? sum[chunk * params.channels] : 0;
    }
  };
  double own = 0;
  for (int last = end; last > begin; last -= kTogether) {
    load(last);
#pragma unroll
    for (int i = 0; i < kTogether; ++i) own += values[i];
  }
  sums[warp][lane] = own;
  __syncthreads();
  double later = 0;
#pragma unroll
  for (int w = kSuffixWarps - 1; w > 0; --w) {
    if (w > warp) later += sums[w][lane];
  }
  for (int last = end; last > begin; last -= kTogether) {
    load(last);
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const std::int64_t chunk = last - 1 - i;
      if (exists && chunk >= begin) sum[chunk * params.channels] = static_cast<float>(later);
      later += values[i];
    }
  }
}

template <typename T>
cudaError_t find_totals(const InfluenceScoresParams<T>& params, const Totals& totals,
                        cudaStream_t stream) {
  const auto chunks = static_cast<unsigned>(chunk_count(params.sequences));
  const auto blocks = [&](int channels) {
    return static_cast<unsigned>(ceil_div(params.channels, std::int64_t{channels}));
  };
  influence_totals_kernel<<<dim3(chunks, blocks(kSlab)), kTotalsThreads, 0, stream>>>(params,
                                                                                      totals);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  const auto sequences = static_cast<unsigned>(params.sequences.count);
  influence_suffix_kernel<<<dim3(sequences, blocks(kWarpSize)), kSuffixWarps * kWarpSize, 0,
                            stream>>>(params, totals);
  return cudaGetLastError();
}

}  // namespace simba::kernels::influence
