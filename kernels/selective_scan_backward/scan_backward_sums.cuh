// The small kernels around the three of selective_scan_backward: the table of a packed row's
// chunks, and dB and dC from the shares of all channel blocks.
#pragma once

#include "kernels/cuda/numeric.cuh"
#include "kernels/selective_scan_backward/scan_backward_chunks.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kTableThreads = 1024;
inline constexpr int kSumThreads = 256;

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

// One thread for each (token, dB or dC, state).
template <typename T>
__global__ void __launch_bounds__(kSumThreads)
    tokens_kernel(SelectiveScanBackwardParams<T> params, const float* shares, std::int64_t blocks) {
  const std::int64_t size = params.batch * params.sequences.length * 2 * kStates;
  const std::int64_t item = std::int64_t(blockIdx.x) * kSumThreads + threadIdx.x;
  if (item >= size) return;
  float sum = 0;
#pragma unroll 8
  for (std::int64_t block = 0; block < blocks; ++block) sum += shares[block * size + item];
  const int which = static_cast<int>(item % (2 * kStates));
  const std::int64_t token = item / (2 * kStates);
  T* to = which < kStates ? params.grad_B.data : params.grad_C.data;
  to[token * kStates + which % kStates] = round_to<T>(sum);
}

}  // namespace simba::kernels::scan_backward
