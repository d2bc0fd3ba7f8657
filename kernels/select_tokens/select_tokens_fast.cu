// The keep highest-scoring tokens of every sequence by (score, position), as ascending positions.
//
// A block or a cluster of kBlocks holds the keys (score_key.cuh) of a sequence's tokens in
// registers: block after block and warp after warp has the next part of the positions, a warp's
// lanes neighbouring ones. The last token is in; of the others, `wanted` are chosen:
//   1. a radix select finds the key of the lowest one kept, 8 bits at a time from the top. Every
//      block counts its keys' digits in shared memory and then reads the counts of all: so it also
//      knows how many tokens of the blocks before it are kept. Counts are integers: no order can
//      show.
//   2. tokens above that key are kept, of those equal to it all but the earliest; counts of the
//      warps before and ballots give each kept token its place.
#include "kernels/cuda/cluster.cuh"
#include "kernels/cuda/device.h"
#include "kernels/cuda/warp.cuh"
#include "kernels/select_tokens/score_key.cuh"
#include "kernels/select_tokens/select_tokens_paths.h"
#include "kernels/select_tokens/selection.cuh"

namespace simba::kernels {
namespace {

constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;
constexpr int kPasses = 32 / kDigitBits;
constexpr int kClusterBlocks = 8;  // as many as every device with clusters takes

__device__ inline int warp_total(int value) {
#if __CUDA_ARCH__ >= 800
  return __reduce_add_sync(kAllLanes, value);
#else
  return warp_sum(value);
#endif
}

template <int kBlocks>
__device__ inline void sync_blocks() {
  if constexpr (kBlocks == 1) {
    __syncthreads();
  } else {
    cluster_arrive();
    cluster_wait();
  }
}

// Tokens of a sequence, or of its blocks before this one.
struct Counts {
  int all;
  int before;
};

// What a pass found.
struct Digit {
  int value;
  Counts above;  // with a higher digit, of those that share the digits so far
  Counts equal;  // with this one
};

// The digit where counting from the highest one reaches `wanted`. Every thread calls it and
// receives it; thread t looks at the t-th highest digit.
template <int kBlocks>
__device__ Digit find_digit(const int (&histogram)[kDigits], int rank, int wanted) {
  constexpr int kWarps = kDigits / kWarpSize;
  __shared__ Counts of_warps[kWarps];
  __shared__ Digit found;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / kWarpSize, lane = thread % kWarpSize;
  const int digit = kDigits - 1 - thread;
  Counts here = {}, reached = {};  // with this digit; with this one or a higher one
  if (thread < kDigits) {
    int counts[kBlocks];
#pragma unroll
    for (int r = 0; r < kBlocks; ++r) {
      counts[r] = kBlocks == 1 ? histogram[digit] : load_of_block(histogram[digit], r);
    }
#pragma unroll
    for (int r = 0; r < kBlocks; ++r) {
      here.all += counts[r];
      here.before += r < rank ? counts[r] : 0;
    }
    reached = here;
#pragma unroll
    for (int offset = 1; offset < kWarpSize; offset *= 2) {
      const int all = __shfl_up_sync(kAllLanes, reached.all, offset);
      const int before = kBlocks == 1 ? 0 : __shfl_up_sync(kAllLanes, reached.before, offset);
      if (lane >= offset) {
        reached.all += all;
        reached.before += before;
      }
    }
    if (lane == kWarpSize - 1) of_warps[warp] = reached;
  }
  __syncthreads();
  if (thread < kDigits) {
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) {
        reached.all += of_warps[w].all;
        reached.before += of_warps[w].before;
      }
    }
    if (reached.all >= wanted && reached.all - here.all < wanted) {
      found = {digit, {reached.all - here.all, reached.before - here.before}, here};
    }
  }
  __syncthreads();
  return found;
}

template <int kThreads, int kKeys, int kBlocks>
__global__ void __launch_bounds__(kThreads)
    select_tokens_fast_kernel(SelectTokensParams<float> params, KeepOffsets offsets,
                              std::int32_t* kept_cu_seqlens) {
  constexpr int kWarps = kThreads / kWarpSize;
  static_assert(kThreads >= kDigits);
  __shared__ int histograms[kPasses][kDigits];
  __shared__ int warp_above[kWarps], warp_equal[kWarps];
  const int thread = static_cast<int>(threadIdx.x);
  const int rank = kBlocks == 1 ? 0 : static_cast<int>(cluster_rank());
  const Selection<float> selection(params, offsets, blockIdx.x / kBlocks);
  selection.write_rest(kept_cu_seqlens, rank * kThreads + thread, kBlocks * kThreads);
  const int competing = selection.competing;
  int wanted = selection.wanted;
  if (wanted <= 0) return;  // all blocks of the cluster

  // Registers used of kKeys, and positions from `start` on at distances of a warp.
  const int used = (competing + kBlocks * kThreads - 1) / (kBlocks * kThreads);
  const int warp = thread / kWarpSize;
  const int lane = thread % kWarpSize;
  const int start = (rank * kWarps + warp) * used * kWarpSize + lane;
  std::uint32_t keys[kKeys];
#pragma unroll
  for (int j = 0; j < kKeys; ++j) {
    keys[j] = 0;
    if (j < used && start + j * kWarpSize < competing) {
      keys[j] = score_key(selection.scores[start + j * kWarpSize]);
    }
  }
  for (int i = thread; i < kPasses * kDigits; i += kThreads)
    histograms[i / kDigits][i % kDigits] = 0;
  __syncthreads();

  std::uint32_t threshold = 0;
  int above_before = 0, equal_before = 0;  // tokens of the blocks before
  int earliest_dropped = 0;                // of the tokens equal to the threshold
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int shift = 32 - (pass + 1) * kDigitBits;
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      if (j >= used) break;
      const bool shares = pass == 0 || (keys[j] ^ threshold) >> (shift + kDigitBits) % 32 == 0;
      if (shares && start + j * kWarpSize < competing) {
        atomicAdd(&histograms[pass][keys[j] >> shift & (kDigits - 1)], 1);
      }
    }
    sync_blocks<kBlocks>();
    const Digit digit = find_digit<kBlocks>(histograms[pass], rank, wanted);
    threshold |= static_cast<std::uint32_t>(digit.value) << shift;
    wanted -= digit.above.all;
    above_before += digit.above.before;
    equal_before = digit.equal.before;
    earliest_dropped = digit.equal.all - wanted;
  }
  // Nothing of the other blocks is read any more.
  if constexpr (kBlocks > 1) cluster_arrive();

  int above_here = 0, equal_here = 0;  // of the warp
#pragma unroll
  for (int j = 0; j < kKeys; ++j) {
    if (j >= used) break;
    above_here += keys[j] > threshold;
    equal_here += keys[j] == threshold;
  }
  above_here = warp_total(above_here);
  equal_here = warp_total(equal_here);
  if (lane == 0) {
    warp_above[warp] = above_here;
    warp_equal[warp] = equal_here;
  }
  __syncthreads();
  above_before += warp_total(lane < warp ? warp_above[lane] : 0);
  equal_before += warp_total(lane < warp ? warp_equal[lane] : 0);

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
  // A block that ends takes its counts with it.
  if constexpr (kBlocks > 1) cluster_wait();
}

template <int kThreads, int kKeys, int kBlocks>
struct Shape {
  static constexpr std::int64_t kMost =
      std::int64_t{kThreads} * kKeys * kBlocks;  // competing tokens

  static void launch(int sequences, const SelectTokensParams<float>& params,
                     const KeepOffsets& offsets, std::int32_t* kept_cu_seqlens,
                     cudaStream_t stream) {
    cudaLaunchAttribute cluster{};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {kBlocks, 1, 1};
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(sequences * kBlocks);
    config.blockDim = dim3(kThreads);
    config.stream = stream;
    config.attrs = &cluster;
    config.numAttrs = kBlocks > 1 ? 1 : 0;
    cudaLaunchKernelEx(&config, select_tokens_fast_kernel<kThreads, kKeys, kBlocks>, params,
                       offsets, kept_cu_seqlens);
  }
};

using Short = Shape<1024, 2, 1>;
using Long = Shape<1024, 4, kClusterBlocks>;
using Longest = Shape<1024, 16, kClusterBlocks>;
// Where there are no clusters.
using LongInOne = Shape<1024, 32, 1>;

bool has_clusters() {
  static PerDevice code;
  return code.get([] {
    return code_capability(select_tokens_fast_kernel<1024, 4, kClusterBlocks>);
  }) >= 90;
}

}  // namespace

bool fast_path_takes(const SelectTokensParams<float>& params) {
  return params.sequences.length - 1 <= (has_clusters() ? Longest::kMost : LongInOne::kMost);
}

cudaError_t select_tokens_fast(const SelectTokensParams<float>& params,
                               std::int32_t* kept_cu_seqlens, cudaStream_t stream) {
  const std::int64_t competing = params.sequences.length - 1;
  const auto launch = competing <= Short::kMost  ? Short::launch
                      : !has_clusters()          ? LongInOne::launch
                      : competing <= Long::kMost ? Long::launch
                                                 : Longest::launch;
  return for_each_launch(params, [&](int sequences, const KeepOffsets& offsets) {
    launch(sequences, params, offsets, kept_cu_seqlens, stream);
  });
}

}  // namespace simba::kernels
