// One block per batch row. heads[l] is the smallest r with indices[r] = l, by atomic minimum, whose
// result no order of threads changes. Where no index repeats, as with select_tokens, no row has a
// follower and that is all; else each row looks for its own among those after it.
#include "kernels/cuda/launch.h"
#include "kernels/picked_rows/picked_rows_cuda.h"

namespace simba::kernels {
namespace {

constexpr int kThreads = 1024;

__global__ void __launch_bounds__(kThreads) link_kernel(LinkPickedRowsParams params) {
  const std::int64_t sources = params.sources, rows = params.rows;
  const std::int64_t* indices = params.indices + blockIdx.x * rows;
  std::int64_t* heads = params.heads + blockIdx.x * sources;
  std::int64_t* followers = params.followers + blockIdx.x * rows;
  for (std::int64_t l = threadIdx.x; l < sources; l += kThreads) heads[l] = rows;
  __syncthreads();
  for (std::int64_t r = threadIdx.x; r < rows; r += kThreads) {
    atomicMin(reinterpret_cast<long long*>(heads + indices[r]), static_cast<long long>(r));
  }
  __syncthreads();
  bool repeats = false;
  for (std::int64_t r = threadIdx.x; r < rows; r += kThreads) {
    // The atomic results lie in the second-level cache.
    repeats = repeats || __ldcg(heads + indices[r]) != r;
  }
  const bool search = __syncthreads_or(repeats);
  for (std::int64_t r = threadIdx.x; r < rows; r += kThreads) {
    std::int64_t next = search ? r + 1 : rows;
    while (next < rows && indices[next] != indices[r]) ++next;
    followers[r] = next;
  }
}

}  // namespace

cudaError_t link_picked_rows_cuda(const LinkPickedRowsParams& params, cudaStream_t stream) {
  static_assert(sizeof(std::int64_t) == sizeof(long long));
  if (!fits_grid(params.batch, 1)) return cudaErrorInvalidValue;
  if (params.batch == 0) return cudaSuccess;
  link_kernel<<<static_cast<unsigned>(params.batch), kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

}  // namespace simba::kernels
