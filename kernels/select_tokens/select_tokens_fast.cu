// The keep highest-scoring tokens of every sequence by (score, position), as ascending positions.
//
// One block per sequence, which holds the keys (score_key.cuh) of all its tokens in registers: warp
// w has the w-th part of the positions, its lanes neighbouring ones. The last token is in; of the
// others, `wanted` are chosen:
//   1. the highest key that at least `wanted` keys reach, bit by bit from the top: how many reach
//      the candidate is a count over registers, lanes and warps. Ends early where exactly `wanted`
//      reach it. Neither the counts nor their number depend on chance or on ties.
//   2. tokens above that key are kept, of those equal to it all but the earliest; counts of the
//      warps before and ballots give each kept token its place.
#include "kernels/cuda/warp.cuh"
#include "kernels/select_tokens/score_key.cuh"
#include "kernels/select_tokens/select_tokens_paths.h"
#include "kernels/select_tokens/selection.cuh"

namespace simba::kernels {
namespace {

// Of which the keys fit the registers of the largest block.
constexpr int kMaxCompeting = 512 * 64;

__device__ inline int warp_total(int value) {
#if __CUDA_ARCH__ >= 800
  return __reduce_add_sync(kAllLanes, value);
#else
  return warp_sum(value);
#endif
}

// The sum over the block, in every thread. Calls in turn alternate between two warp_counts: a warp
// that is a call ahead writes where nobody reads any more.
template <int kWarps>
__device__ int block_total(int value, int (&warp_counts)[kWarps]) {
  const int lane = threadIdx.x % kWarpSize;
  value = warp_total(value);
  if (lane == 0) warp_counts[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  return warp_total(lane < kWarps ? warp_counts[lane] : 0);
}

template <int kThreads, int kKeys>
__global__ void __launch_bounds__(kThreads)
    select_tokens_fast_kernel(SelectTokensParams<float> params, KeepOffsets offsets,
                              std::int32_t* kept_cu_seqlens) {
  constexpr int kWarps = kThreads / kWarpSize;
  __shared__ int warp_counts[2][kWarps];
  __shared__ int warp_above[kWarps], warp_equal[kWarps];
  const Selection<float> selection(params, offsets);
  selection.write_rest(kept_cu_seqlens, threadIdx.x, kThreads);
  const int competing = selection.competing;
  const int wanted = selection.wanted;
  if (wanted <= 0) return;

  // Registers used of kKeys, and positions from `start` on at distances of a warp.
  const int used = (competing + kThreads - 1) / kThreads;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const int start = warp * used * kWarpSize + lane;
  std::uint32_t keys[kKeys];
#pragma unroll
  for (int j = 0; j < kKeys; ++j) {
    keys[j] = 0;  // beyond the last position; reaches no candidate
    if (j < used && start + j * kWarpSize < competing) {
      keys[j] = score_key(selection.scores[start + j * kWarpSize]);
    }
  }

  constexpr int kGroup = 4;  // keys looked at together
  std::uint32_t threshold = 0;
  int reaching = competing;
  for (int bit = 31; bit >= 0 && reaching > wanted; --bit) {
    const std::uint32_t candidate = threshold | (1u << bit);
    int count = 0;
#pragma unroll
    for (int j = 0; j < kKeys; j += kGroup) {
      if (j >= used) break;
#pragma unroll
      for (int i = j; i < j + kGroup; ++i) count += keys[i] >= candidate;
    }
    count = block_total(count, warp_counts[bit % 2]);
    if (count >= wanted) {
      threshold = candidate;
      reaching = count;
    }
  }
  const int earliest_dropped = reaching - wanted;  // of the tokens equal to the threshold

  int above_before = 0;
  int equal_before = 0;
#pragma unroll
  for (int j = 0; j < kKeys; ++j) {
    if (j >= used) break;
    above_before += keys[j] > threshold;
    equal_before += keys[j] == threshold;
  }
  above_before = warp_total(above_before);
  equal_before = warp_total(equal_before);
  if (lane == 0) {
    warp_above[warp] = above_before;
    warp_equal[warp] = equal_before;
  }
  __syncthreads();
  above_before = warp_total(lane < warp ? warp_above[lane] : 0);
  equal_before = warp_total(lane < warp ? warp_equal[lane] : 0);

  // Keys beyond the last position may equal a threshold of 0. They come after all others, so they
  // only must not be written.
  const unsigned earlier_lanes = (1u << lane) - 1;
#pragma unroll
  for (int j = 0; j < kKeys; ++j) {
    if (j >= used) break;
    const bool above = keys[j] > threshold;
    const bool equal = keys[j] == threshold;
    const unsigned above_lanes = __ballot_sync(kAllLanes, above);
    const unsigned equal_lanes = __ballot_sync(kAllLanes, equal);
    const int equal_kept = equal_before + __popc(equal_lanes & earlier_lanes) - earliest_dropped;
    const int position = start + j * kWarpSize;
    if (position < competing && (above || (equal && equal_kept >= 0))) {
      const int place = above_before + __popc(above_lanes & earlier_lanes) + max(equal_kept, 0);
      selection.indices[place] = selection.begin + position;
    }
    above_before += __popc(above_lanes);
    equal_before += __popc(equal_lanes);
  }
}

template <int kThreads, int kKeys>
void launch(int blocks, const SelectTokensParams<float>& params, const KeepOffsets& offsets,
            std::int32_t* kept_cu_seqlens, cudaStream_t stream) {
  select_tokens_fast_kernel<kThreads, kKeys>
      <<<blocks, kThreads, 0, stream>>>(params, offsets, kept_cu_seqlens);
}

}  // namespace

bool fast_path_takes(const SelectTokensParams<float>& params) {
  return params.sequences.length - 1 <= kMaxCompeting;
}

cudaError_t select_tokens_fast(const SelectTokensParams<float>& params,
                               std::int32_t* kept_cu_seqlens, cudaStream_t stream) {
  const std::int64_t competing = params.sequences.length - 1;
  return for_each_launch(params, [&](int blocks, const KeepOffsets& offsets) {
    if (competing <= 256 * 8) {
      launch<256, 8>(blocks, params, offsets, kept_cu_seqlens, stream);
    } else if (competing <= 512 * 16) {
      launch<512, 16>(blocks, params, offsets, kept_cu_seqlens, stream);
    } else {
      launch<512, 64>(blocks, params, offsets, kept_cu_seqlens, stream);
    }
  });
}

}  // namespace simba::kernels
