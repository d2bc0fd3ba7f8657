// The small kernels around the three of selective_scan_backward: the table of a packed row's
// chunks, and all sums of the shares of channel blocks (dB, dC) and chunks (dA, dD, d bias).
#pragma once

#include "kernels/cuda/numeric.cuh"
#include "kernels/cuda/sum_shares.cuh"
#include "kernels/selective_scan_backward/scan_backward_chunks.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kTableThreads = 1024;

// One block. Each thread counts the chunks of neighbouring sequences; its first chunk is the sum of
// the counts before.
static __global__ void __launch_bounds__(kTableThreads) table_kernel(Chunks chunks) {
  __shared__ std::int32_t counts[kTableThreads];
  const int thread = threadIdx.x;
  const Sequences& sequences = chunks.sequences;
  const std::int64_t share = (sequences.count + kTableThreads - 1) / kTableThreads;
  const std::int64_t first = thread * share;
  const std::int64_t last = first + share < sequences.count ? first + share : sequences.count;
  const auto chunks_of = [&](std::int64_t s) {
    const std::int64_t length = sequences.end(s) - sequences.begin(s);
    return static_cast<std::int32_t>((length + chunks.steps - 1) / chunks.steps);
  };
  std::int32_t own = 0;
  for (std::int64_t s = first; s < last; ++s) own += chunks_of(s);
  counts[thread] = own;
  __syncthreads();
  for (int offset = 1; offset < kTableThreads; offset *= 2) {
    const std::int32_t before = thread >= offset ? counts[thread - offset] : 0;
    __syncthreads();
    counts[thread] += before;
    __syncthreads();
  }
  std::int32_t next = counts[thread] - own;
  for (std::int64_t s = first; s < last; ++s) {
    chunks.table[s] = next;
    next += chunks_of(s);
  }
  if (thread == kTableThreads - 1) chunks.table[sequences.count] = counts[thread];
}

// Which blocks of sums_kernel take what.
struct SumsGrid {
  unsigned tokens, A, D, bias;  // blocks

  unsigned blocks() const { return tokens + A + D + bias; }
};

inline constexpr int kSumsThreads = kShareThreads;
inline constexpr int kSumsRows = 4;
inline constexpr int kSumsColumns = kShareThreads / kSumsRows;

// dB and dC: one thread for each (token, dB or dC, state).
template <typename T>
__device__ void sum_tokens(const SelectiveScanBackwardParams<T>& params, const float* shares,
                           std::int64_t blocks, std::int64_t item) {
  const std::int64_t size = params.batch * params.sequences.length * 2 * kStates;
  if (item >= size) return;
  float sum = 0;
#pragma unroll 16
  for (std::int64_t block = 0; block < blocks; ++block) sum += shares[block * size + item];
  const int which = static_cast<int>(item % (2 * kStates));
  const std::int64_t token = item / (2 * kStates);
  T* to = which < kStates ? params.grad_B.data : params.grad_C.data;
  to[token * kStates + which % kStates] = round_to<T>(sum);
}

// `blocks` is all blocks of channels.
template <typename T>
__global__ void __launch_bounds__(kSumsThreads)
    sums_kernel(SelectiveScanBackwardParams<T> params, Chunks chunks, Scratch scratch,
                std::int64_t blocks, SumsGrid grid) {
  unsigned block = blockIdx.x;
  if (block < grid.tokens) {
    const std::int64_t item = std::int64_t(block) * kSumsThreads + threadIdx.x;
    return sum_tokens(params, scratch.shares_BC, blocks, item);
  }
  block -= grid.tokens;
  const std::int64_t count = chunks.table ? chunks.table[chunks.sequences.count] : chunks.most;
  if (block < grid.A) {
    const std::int64_t size = blocks * kBlockStates;
    for_sums_of_shares<kSumsRows>(
        block, scratch.shares_A, count, size, size, [&](std::int64_t i, float sum) {
          int column, state;
          BlockStates::decode(static_cast<int>(i % kBlockStates), column, state);
          const std::int64_t channel = i / kBlockStates * kBlockChannels + column;
          if (channel < params.channels) params.grad_A[channel * kStates + state] = sum;
        });
    return;
  }
  block -= grid.A;
  const bool skip = block < grid.D;
  const float* shares = skip ? scratch.shares_D : scratch.shares_bias;
  float* sums = skip ? params.grad_D : params.grad_delta_bias;
  for_sums_of_shares<kSumsRows>(skip ? block : block - grid.D, shares, count,
                                blocks * kBlockChannels, params.channels,
                                [&](std::int64_t i, float sum) { sums[i] = sum; });
}

}  // namespace simba::kernels::scan_backward
