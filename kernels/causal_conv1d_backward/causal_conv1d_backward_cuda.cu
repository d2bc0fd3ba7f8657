#include "kernels/causal_conv1d_backward/causal_conv1d_backward_cuda.h"
#include "kernels/causal_conv1d_backward/conv_backward_paths.h"
#include "kernels/cuda/path.h"
#include "kernels/cuda/sum_shares.cuh"

namespace simba::kernels {
namespace {

// Of a block, in either kernel.
constexpr std::int64_t kFewestThreads = 128;

template <typename T>
bool takes_fast_path(const CausalConv1dBackwardParams<T>& params) {
  if constexpr (sizeof(T) <= sizeof(float)) {
    return cuda_path() == CudaPath::kFast && fast_path_takes(params);
  }
  return false;
}

template <typename T>
std::int64_t shares_of(const CausalConv1dBackwardParams<T>& params) {
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (takes_fast_path(params)) return conv_backward_shares_fast(params);
  }
  return conv_backward_shares_portable(params);
}

template <typename T>
cudaError_t run(const CausalConv1dBackwardParams<T>& params, cudaStream_t stream) {
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (takes_fast_path(params)) return conv_backward_fast(params, stream);
  }
  return conv_backward_portable(params, stream);
}

// grad_weight and grad_bias from their shares.
template <typename T>
__global__ void __launch_bounds__(kShareThreads)
    parameters_kernel(CausalConv1dBackwardParams<T> params, std::int64_t shares,
                      std::int64_t sums) {
  const std::int64_t weights = params.channels * params.width;
  for_sums_of_shares<kShareRows>(
      blockIdx.x, params.scratch, shares, weights + params.channels, sums,
      [&](std::int64_t i, AccumulateType<T> sum) {
        *(i < weights ? params.grad_weight + i : params.grad_bias + i - weights) = sum;
      });
}

}  // namespace

template <typename T>
std::int64_t causal_conv1d_backward_scratch_cuda(const CausalConv1dBackwardParams<T>& params) {
  return shares_of(params) * params.channels * (params.width + 1);
}

template <typename T>
cudaError_t causal_conv1d_backward_cuda(const CausalConv1dBackwardParams<T>& params,
                                        cudaStream_t stream) {
  const Sequences& sequences = params.sequences;
  if (sequences.count < 0 || sequences.length < 0 || params.batch < 0 || params.channels < 0 ||
      params.width < 1) {
    return cudaErrorInvalidValue;
  }
  // Threads of the grids that have the most of them, in either kernel.
  const std::int64_t elements = params.batch * sequences.length * params.channels;
  const std::int64_t taps = sequences.count * params.channels * (params.width + 1);
  if (!fits_grid(ceil_div(elements, kFewestThreads), 1) ||
      !fits_grid(ceil_div(taps, kFewestThreads), 1)) {
    return cudaErrorInvalidValue;
  }
  if (params.channels == 0) return cudaSuccess;
  if (const cudaError_t error = run(params, stream); error != cudaSuccess) return error;
  const std::int64_t sums = params.channels * (params.width + (params.grad_bias ? 1 : 0));
  parameters_kernel<T>
      <<<static_cast<unsigned>(ceil_div(sums, kShareColumns)), kShareThreads, 0, stream>>>(
          params, shares_of(params), sums);
  return cudaGetLastError();
}

#define SIMBA_INSTANTIATE(T)                                                                       \
  template std::int64_t causal_conv1d_backward_scratch_cuda(const CausalConv1dBackwardParams<T>&); \
  template cudaError_t causal_conv1d_backward_cuda(const CausalConv1dBackwardParams<T>&,           \
                                                   cudaStream_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
