#include "kernels/add_norm_backward/add_norm_backward_cuda.h"
#include "kernels/add_norm_backward/norm_backward_paths.h"
#include "kernels/cuda/path.h"
#include "kernels/cuda/sum_shares.cuh"

namespace simba::kernels {
namespace {

// Enough to fill a large GPU several times over. Their number decides the order of the sums, so it
// must not depend on the device.
constexpr std::int64_t kRuns = 1056;

struct Runs {
  std::int64_t run, count;
};

template <typename T, typename R>
Runs runs_of(const AddNormBackwardParams<T, R>& params) {
  const std::int64_t sources = params.batch * params.picked.sources;
  const std::int64_t run = sources == 0 ? 1 : ceil_div(sources, kRuns);
  return {run, ceil_div(sources, run)};
}

}  // namespace

template <typename T, typename R>
std::int64_t add_norm_backward_scratch_cuda(const AddNormBackwardParams<T, R>& params) {
  return runs_of(params).count * 2 * params.channels;
}

template <typename T, typename R>
cudaError_t add_norm_backward_cuda(const AddNormBackwardParams<T, R>& params, cudaStream_t stream) {
  if (params.batch < 0 || params.channels < 0 || params.picked.sources < 0 ||
      params.picked.rows < 0) {
    return cudaErrorInvalidValue;
  }
  if (params.channels == 0) return cudaSuccess;
  const auto [run, runs] = runs_of(params);
  if (runs > 0) {
    cudaError_t error;
    bool fast = false;
    if constexpr (sizeof(T) <= sizeof(float)) {
      fast = cuda_path() == CudaPath::kFast && fast_path_takes(params);
      if (fast) error = norm_backward_fast(params, run, runs, stream);
    }
    if (!fast) error = norm_backward_portable(params, run, runs, stream);
    if (error != cudaSuccess) return error;
  }
  const std::int64_t D = params.channels;
  sum_shares(params.scratch, runs, 2 * D, D, params.grad_weight, stream);
  if (params.grad_bias) {
    sum_shares(params.scratch + D, runs, 2 * D, D, params.grad_bias, stream);
  }
  return cudaGetLastError();
}

#define SIMBA_INSTANTIATE(T, R)                                                             \
  template std::int64_t add_norm_backward_scratch_cuda(const AddNormBackwardParams<T, R>&); \
  template cudaError_t add_norm_backward_cuda(const AddNormBackwardParams<T, R>&, cudaStream_t);
SIMBA_INSTANTIATE(float, float)
SIMBA_INSTANTIATE(double, double)
SIMBA_INSTANTIATE(BFloat16, BFloat16)
SIMBA_INSTANTIATE(BFloat16, float)
SIMBA_INSTANTIATE(Float16, Float16)
SIMBA_INSTANTIATE(Float16, float)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
