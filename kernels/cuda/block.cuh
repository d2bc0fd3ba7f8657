// Reductions over the threads of a block. The order of the operands is fixed, so results repeat bit
// for bit; every thread receives the result.
#pragma once

#include "kernels/cuda/warp.cuh"

namespace simba::kernels {

// Called by all threads of a block of kWarps warps.
template <int kWarps, typename Acc>
__device__ Acc block_sum(Acc value) {
  __shared__ Acc warp_sums[kWarps];
  value = warp_sum(value);
  if (threadIdx.x % kWarpSize == 0) warp_sums[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  Acc sum = 0;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) sum += warp_sums[i];
  __syncthreads();
  return sum;
}

}  // namespace simba::kernels
