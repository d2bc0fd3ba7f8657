// Maxima over channels, in the fast influence kernels: a block has a chunk and a group of channels.
// It computes the channels of the highest bounds first, lists those whose bounds over the chunk may
// still raise a score, and walks them backwards in t, a quad of channels per lane: where a token's
// own bound in a channel may raise its score, it is a candidate (influence_candidates.cuh). Maxima
// are exact whatever is left out and do not depend on the order, so scores repeat bit for bit.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/influence_scores/influence_bounds.cuh"
#include "kernels/influence_scores/influence_candidates.cuh"

namespace simba::kernels::influence {

inline constexpr int kWarps = 8;
inline constexpr int kThreads = kWarps * kWarpSize;
inline constexpr int kAhead = 4;                 // tokens of a walk that are loaded ahead
inline constexpr int kSlab = kWarpSize * kQuad;  // channels of a warp
inline constexpr int kGroup = kWarps * kSlab;    // of a block

// The blocks: first those of near chunks, the last of each sequence, a slab each; then those of the
// others, a group each. Near the end all states count and most channels must be computed, so that
// few blocks would take longer than all others. Many sequences have near chunks for every
// multiprocessor, and no need of that.
struct MaximaBlocks {
  unsigned chunks, groups, slabs, near_chunks, near;

  template <typename T>
  explicit MaximaBlocks(const InfluenceScoresParams<T>& params)
      : chunks(static_cast<unsigned>(chunk_count(params.sequences))),
        groups(static_cast<unsigned>(ceil_div(params.channels, std::int64_t{kGroup}))),
        slabs(static_cast<unsigned>(ceil_div(params.channels, std::int64_t{kSlab}))),
        near_chunks(params.sequences.count <= kFewSequences ? kNearChunks : 0),
        near(static_cast<unsigned>(params.sequences.count) * near_chunks * slabs) {}

  unsigned count() const { return near + chunks * groups; }

 private:
  static constexpr std::int64_t kFewSequences = 16;
  static constexpr unsigned kNearChunks = 2;
};

struct MaximaMemory {
  ChunkScores scores;
  int gaps[kStates];  // ordered: the largest of the group's
  int earliest;       // bits: the smallest R at the chunk's end
  int listed;
  unsigned short list[kThreads];  // quads that may raise a score
  float needs[kWarps][kChunk];    // ChunkScores::need, as each warp saw it
  Candidates<kWarps, kSlab> candidates;
};

// What is known of a quad of channels over a chunk.
struct QuadTotals {
  float later[kQuad], peak[kQuad], slowest[kQuad], bias[kQuad] = {};

  template <typename T>
  __device__ QuadTotals(const InfluenceScoresParams<T>& params, const Totals& totals,
                        const Chunk& chunk, std::int64_t channel) {
    const std::int64_t place = chunk.index * params.channels + channel;
    load_channels(totals.later + place, later);
    load_channels(totals.peak + place, peak);
    load_channels(totals.slowest + chunk.sequence * params.channels + channel, slowest);
    if (params.delta_bias) load_channels(params.delta_bias + channel, bias);
  }

  __device__ float bound(int c) const {
    return chunk_bound(slowest[c], later[c], peak[c], bias[c]);
  }
  template <InfluenceDecay kDecay>
  __device__ ChannelBound<kDecay> channel_bound(bool exists, int c) const {
    return {exists, slowest[c], later[c], peak[c], bias[c]};
  }
};

// g_t from the group's gaps and the smallest R. By 256 threads, one for each token and state.
__device__ inline void find_most(MaximaMemory& memory) {
  const int t = threadIdx.x / kStates, n = threadIdx.x % kStates;
  ChunkScores& scores = memory.scores;
  const float power = from_ordered(memory.gaps[n]) * __int_as_float(memory.earliest);
  const float product = fabsf(scores.couplings.products[t][n]);
  const float sum = Couplings::sum_of_states(product == 0 ? 0 : product * fast_exp2(power));
  if (n != 0) return;
  const float size = scores.couplings.size[t];
  const bool known = Couplings::is_ordinary(size) && sum >= 0x1p-100f;
  scores.most[t] = size == 0 ? -infinity<float>() : known ? fast_log2(sum) : infinity<float>();
}

// Finds the tokens and channels that may raise a score, a slab of the listed quads per warp.
template <typename T, InfluenceDecay kDecay>
__device__ void walk(const InfluenceScoresParams<T>& params, const Totals& totals,
                     const Chunk& chunk, std::int64_t first_channel, MaximaMemory& memory) {
  const int lane = threadIdx.x % kWarpSize;
  const int warp = threadIdx.x / kWarpSize;
  const int listed = memory.listed;
  int candidates = 0;
  if (warp * kWarpSize < listed) {
    const int tokens = chunk.tokens();
    const std::int64_t batch = params.sequences.batch(chunk.sequence);
    const bool exists = static_cast<int>(threadIdx.x) < listed;
    const int quad = memory.list[exists ? threadIdx.x : warp * kWarpSize];
    const std::int64_t channel = first_channel + quad * kQuad;
    const T* delta_next = settled(params.delta.row(batch, chunk.end - 1) + channel);
    const T* u_next = settled(params.u.row(batch, chunk.end - 1) + channel);
    Packet<T, kQuad> delta[kAhead], u[kAhead];
    const auto load = [&](int i) {  // the next token
      delta[i] = load_packet<kQuad>(delta_next);
      u[i] = load_packet<kQuad>(u_next);
      delta_next -= params.delta.row_stride;
      u_next -= params.u.row_stride;
    };
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (i < tokens) load(i);
    }
    const QuadTotals own(params, totals, chunk, channel);
    ChannelBound<kDecay> bounds[kQuad] = {
        own.channel_bound<kDecay>(exists, 0), own.channel_bound<kDecay>(exists, 1),
        own.channel_bound<kDecay>(exists, 2), own.channel_bound<kDecay>(exists, 3)};
    // With what other blocks have found.
    float* needs = memory.needs[warp];
    if (lane < tokens) {
      const float* score = params.scores + flat_begin(params.sequences, chunk) + lane;
      needs[lane] = memory.scores.need(lane, ordered(__ldcg(score)));
    }
    __syncwarp();
    for (int last = tokens - 1; last >= 0; last -= kAhead) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        const int t = last - i;
        if (t < 0) break;
        float delta_t[kQuad], u_t[kQuad];
        unpack(delta[i], delta_t);
        unpack(u[i], u_t);
        if (t >= kAhead) load(i);
        const float need = needs[t];
        bool may[kQuad];
#pragma unroll
        for (int c = 0; c < kQuad; ++c) may[c] = !(bounds[c].pass(delta_t[c], u_t[c]) <= need);
        if (__any_sync(kAllLanes, may[0] || may[1] || may[2] || may[3])) {
#pragma unroll
          for (int c = 0; c < kQuad; ++c) {
            memory.candidates.add(may[c] && (u_t[c] != 0 || bounds[c].is_boundless_channel()), t,
                                  quad * kQuad + c, candidates);
          }
        }
      }
    }
  }
  if (lane == 0) memory.candidates.counts[warp] = candidates;
}

// kResident: blocks that a multiprocessor should hold.
template <typename T, InfluenceDecay kDecay, int kResident>
__global__ void __launch_bounds__(kThreads, kResident)
    influence_maxima_kernel(const __grid_constant__ InfluenceScoresParams<T> params, Totals totals,
                            MaximaBlocks blocks) {
  __shared__ MaximaMemory memory;
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kWarpSize;
  const bool near = blockIdx.x < blocks.near;
  const unsigned width = near ? blocks.slabs : blocks.groups;
  const unsigned place = (near ? blockIdx.x : blockIdx.x - blocks.near) / width;
  const unsigned part = (near ? blockIdx.x : blockIdx.x - blocks.near) % width;
  // The newest chunks, where more must be computed, first.
  const Chunk chunk = near ? chunk_from_end(params.sequences, place / blocks.near_chunks,
                                            static_cast<int>(place % blocks.near_chunks))
                           : find_chunk(params.sequences, blocks.chunks - 1 - place);
  if (!chunk.exists() || (!near && chunk.after < static_cast<int>(blocks.near_chunks))) return;
  const int most_channels = near ? kSlab : kGroup;
  const std::int64_t first_channel = std::int64_t{part} * most_channels;
  const auto channels =
      static_cast<int>(min(params.channels - first_channel, std::int64_t{most_channels}));
  const std::int64_t flat = flat_begin(params.sequences, chunk);
  memory.scores.couplings.stage(params, chunk);
  wait_for_kernel_before();

  if (thread < kStates) memory.gaps[thread] = ordered(-infinity<float>());
  if (thread < kChunk) {
    const bool exists = thread < chunk.tokens();
    memory.scores.reached[thread] =
        exists ? ordered(__ldcg(params.scores + flat + thread)) : 0x7fffffff;
  }
  if (thread == 0) memory.earliest = __float_as_int(infinity<float>()), memory.listed = 0;
  __syncthreads();

  const int state = thread % kStates;
  const std::int64_t first_column = first_channel / kColumns;
  for (int column = thread / kStates; column * kColumns < channels; column += kThreads / kStates) {
    const std::int64_t place = chunk.sequence * totals.columns + first_column + column;
    atomicMax(&memory.gaps[state], ordered(totals.gaps[place * kStates + state]));
  }
  const bool exists = thread * kQuad < channels;
  float bound = -infinity<float>(), earliest = infinity<float>();
  float pairs[kQuad / 2] = {-infinity<float>(), -infinity<float>()};  // bounds of two channels each
  int best_channel = 0;
  if (exists) {
    const QuadTotals own(params, totals, chunk, first_channel + thread * kQuad);
#pragma unroll
    for (int c = 0; c < kQuad; ++c) {
      earliest = fminf(earliest, own.later[c]);
      pairs[c / 2] = fmaxf(pairs[c / 2], own.bound(c));
      if (c == 0 || own.bound(c) > bound) bound = own.bound(c), best_channel = thread * kQuad + c;
    }
  }
  const int warp_best = warp_max(ordered(bound));
  const unsigned winners = __ballot_sync(kAllLanes, exists && ordered(bound) == warp_best);
  const int warp_earliest = warp_min(__float_as_int(earliest));
  if (lane == 0) atomicMin(&memory.earliest, warp_earliest);
  const int winner = max(__ffs(static_cast<int>(winners)) - 1, 0);
  const int seed = __shfl_sync(kAllLanes, best_channel, winner) ^ lane / kChunk;
  // The two seeds are a pair, and done: its quad's other pair counts from here on.
  if (winners != 0 && lane == winner) bound = best_channel % kQuad < 2 ? pairs[1] : pairs[0];
  __syncthreads();

  if (winners != 0 && lane % kChunk < chunk.tokens() && seed < channels) {
    memory.scores.compute(params, totals, chunk, lane % kChunk, first_channel + seed);
  }
  find_most(memory);
  __syncthreads();

  if (thread < chunk.tokens()) {
    raise(params.scores + flat + thread, from_ordered(memory.scores.reached[thread]));
  }
  const int hurdle =
      warp_min(ordered(lane < chunk.tokens() ? memory.scores.need(lane, memory.scores.reached[lane])
                                             : infinity<float>()));
  const bool listed = exists && ordered(bound) >= hurdle;
  const unsigned mask = __ballot_sync(kAllLanes, listed);
  int rank = 0;
  if (lane == 0 && mask != 0) rank = atomicAdd(&memory.listed, __popc(mask));
  rank = __shfl_sync(kAllLanes, rank, 0) + __popc(mask & ((1u << lane) - 1));
  if (listed) memory.list[rank] = static_cast<unsigned short>(thread);
  __syncthreads();
  if (memory.listed == 0) return;

  walk<T, kDecay>(params, totals, chunk, first_channel, memory);
  __syncthreads();
  memory.candidates.compute(params, totals, chunk, first_channel, memory.scores);
  __syncthreads();
  if (thread < chunk.tokens()) {
    raise(params.scores + flat + thread, from_ordered(memory.scores.reached[thread]));
  }
}

// Few registers for many blocks: they take turns, and each is slower by itself.
template <typename T, InfluenceDecay kDecay>
cudaError_t launch_maxima(const InfluenceScoresParams<T>& params, const Totals& totals,
                          cudaStream_t stream) {
  constexpr unsigned kFew = 3, kMany = 4, kTurns = 4;
  const int multiprocessors = multiprocessor_count();
  if (multiprocessors == 0) return cudaErrorNoDevice;
  const MaximaBlocks blocks(params);
  const bool many = blocks.count() > kTurns * kMany * static_cast<unsigned>(multiprocessors);
  const auto kernel =
      many ? influence_maxima_kernel<T, kDecay, kMany> : influence_maxima_kernel<T, kDecay, kFew>;
  return launch_dependent(kernel, dim3(blocks.count()), kThreads, 0, stream, params, totals,
                          blocks);
}

template <typename T>
cudaError_t find_maxima(const InfluenceScoresParams<T>& params, const Totals& totals,
                        cudaStream_t stream) {
  switch (params.decay) {
    case InfluenceDecay::kNoBias:
      return launch_maxima<T, InfluenceDecay::kNoBias>(params, totals, stream);
    case InfluenceDecay::kFull:
      return launch_maxima<T, InfluenceDecay::kFull>(params, totals, stream);
    case InfluenceDecay::kNone:
      break;
  }
  return launch_maxima<T, InfluenceDecay::kNone>(params, totals, stream);
}

}  // namespace simba::kernels::influence
