// The keep highest-scoring tokens of every sequence by (score, position), as ascending positions.
//
// One block of 512 threads per sequence. The last token is in; of the others, keep - 1 are chosen:
//   1. a radix select finds the key of the lowest one kept, 8 bits at a time from the top: a
//      histogram of the next digit among the keys that share the digits found so far (integer
//      counts in shared memory: the order of additions cannot show), then the digit where the
//      count from above reaches keep - 1;
//   2. tiles of 512 positions in order: tokens above that key are kept, of those equal to it all
//      but the earliest; ballots and a sum over warps give each kept token its place.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/warp.cuh"
#include "kernels/select_tokens/score_key.cuh"
#include "kernels/select_tokens/select_tokens_paths.h"
#include "kernels/select_tokens/selection.cuh"

namespace simba::kernels {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;

__device__ inline unsigned earlier_lanes() { return (1u << (threadIdx.x % kWarpSize)) - 1; }

// The key such that fewer than `wanted` of the keys lie above it and at least `wanted` at or above.
template <typename Key>
struct Threshold {
  Key key;
  int earliest_dropped;  // how many of the tokens equal to it are not wanted
};

struct Digit {
  int value;
  int wanted;  // how many tokens with this digit are wanted
};

// The digit where counting from the highest one reaches `wanted`. Runs in one warp: lane l sums the
// digits from 255 - 8 l down, and the lane in which the count is reached looks at them one by one.
__device__ inline void find_digit(const int (&histogram)[kDigits], int wanted, Digit& found) {
  constexpr int kLaneDigits = kDigits / kWarpSize;
  const int lane = threadIdx.x;
  const int highest = kDigits - 1 - lane * kLaneDigits;
  int in_lane = 0;
  for (int i = 0; i < kLaneDigits; ++i) in_lane += histogram[highest - i];
  int above = in_lane;
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const int other = __shfl_up_sync(kAllLanes, above, offset);
    if (lane >= offset) above += other;
  }
  above -= in_lane;
  if (above < wanted && wanted <= above + in_lane) {
    found = {highest, wanted - above};
    while (histogram[found.value] < found.wanted) found.wanted -= histogram[found.value--];
  }
}

// 1 <= wanted <= count.
template <typename Acc, typename Key = decltype(key_bits(Acc()))>
__device__ Threshold<Key> find_threshold(const Acc* scores, int count, int wanted) {
  __shared__ int histogram[kDigits];
  __shared__ Digit found;

  Key prefix = 0;
  Key prefix_mask = 0;
  int equal = 0;
  for (int shift = 8 * sizeof(Key) - kDigitBits; shift >= 0; shift -= kDigitBits) {
    for (int i = threadIdx.x; i < kDigits; i += kThreads) histogram[i] = 0;
    __syncthreads();
    for (std::int64_t start = 0; start < count; start += kThreads) {
      const std::int64_t i = start + threadIdx.x;
      const Key key = i < count ? score_key(scores[i]) : Key(0);
      const bool counted = i < count && (key & prefix_mask) == prefix;
      const int digit = counted ? static_cast<int>(key >> shift) & (kDigits - 1) : -1;
      // One addition per distinct digit of the warp: most scores share their upper bits.
      const unsigned same = __match_any_sync(kAllLanes, digit);
      if (counted && (same & earlier_lanes()) == 0) atomicAdd(&histogram[digit], __popc(same));
    }
    __syncthreads();
    if (threadIdx.x < kWarpSize) find_digit(histogram, wanted, found);
    __syncthreads();
    wanted = found.wanted;
    equal = histogram[found.value];
    prefix |= static_cast<Key>(found.value) << shift;
    prefix_mask |= static_cast<Key>(kDigits - 1) << shift;
    __syncthreads();
  }
  return {prefix, equal - wanted};
}

// Writes the positions of the tokens kept among [begin, begin + count), ascending.
template <typename Acc, typename Key>
__device__ void write_kept(const Acc* scores, int begin, int count, const Threshold<Key>& threshold,
                           std::int64_t* indices) {
  __shared__ int warp_above[kWarps];
  __shared__ int warp_equal[kWarps];
  const int warp = threadIdx.x / kWarpSize;

  int above_so_far = 0;
  int equal_so_far = 0;
  for (std::int64_t start = 0; start < count; start += kThreads) {
    const std::int64_t i = start + threadIdx.x;
    const Key key = i < count ? score_key(scores[i]) : Key(0);
    const bool above = i < count && key > threshold.key;
    const bool equal = i < count && key == threshold.key;
    const unsigned above_lanes = __ballot_sync(kAllLanes, above);
    const unsigned equal_lanes = __ballot_sync(kAllLanes, equal);
    if (threadIdx.x % kWarpSize == 0) {
      warp_above[warp] = __popc(above_lanes);
      warp_equal[warp] = __popc(equal_lanes);
    }
    __syncthreads();
    int above_before = above_so_far + __popc(above_lanes & earlier_lanes());
    int equal_before = equal_so_far + __popc(equal_lanes & earlier_lanes());
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) {
        above_before += warp_above[w];
        equal_before += warp_equal[w];
      }
      above_so_far += warp_above[w];
      equal_so_far += warp_equal[w];
    }
    const int equal_kept = equal_before - threshold.earliest_dropped;
    if (above || (equal && equal_kept >= 0)) {
      indices[above_before + max(equal_kept, 0)] = begin + i;
    }
    __syncthreads();
  }
}

template <typename Acc>
__global__ void __launch_bounds__(kThreads)
    select_tokens_kernel(SelectTokensParams<Acc> params, KeepOffsets offsets,
                         std::int32_t* kept_cu_seqlens) {
  const Selection<Acc> selection(params, offsets, blockIdx.x);
  if (selection.wanted > 0) {
    write_kept(selection.scores, selection.begin, selection.competing,
               find_threshold(selection.scores, selection.competing, selection.wanted),
               selection.indices);
  }
  selection.write_rest(kept_cu_seqlens, threadIdx.x, kThreads);
}

}  // namespace

template <typename Acc>
cudaError_t select_tokens_portable(const SelectTokensParams<Acc>& params,
                                   std::int32_t* kept_cu_seqlens, cudaStream_t stream) {
  return for_each_launch(params, [&](int blocks, const KeepOffsets& offsets) {
    select_tokens_kernel<<<blocks, kThreads, 0, stream>>>(params, offsets, kept_cu_seqlens);
  });
}

template cudaError_t select_tokens_portable(const SelectTokensParams<float>&, std::int32_t*,
                                            cudaStream_t);
template cudaError_t select_tokens_portable(const SelectTokensParams<double>&, std::int32_t*,
                                            cudaStream_t);

}  // namespace simba::kernels
