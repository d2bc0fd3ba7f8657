#include "kernels/selective_scan_backward/selective_scan_backward_cuda.h"

#include "kernels/cuda/launch.h"
#include "kernels/cuda/path.h"
#include "kernels/selective_scan_backward/scan_backward_paths.h"

namespace simba::kernels {
namespace {

// Of a block, in either set of kernels.
constexpr std::int64_t kFewestChannels = 32;

template <typename T>
bool takes_fast_path(const SelectiveScanBackwardParams<T>& params) {
  if constexpr (sizeof(T) <= sizeof(float)) {
    return cuda_path() == CudaPath::kFast && fast_path_takes(params);
  }
  return false;
}

// Where no token or no channel is: the gradients of parameters are zero, the initial state's is the
// last state's.
template <typename T>
cudaError_t without_tokens(const SelectiveScanBackwardParams<T>& params, cudaStream_t stream) {
  using Acc = AccumulateType<T>;
  const std::int64_t D = params.channels, N = params.states;
  const auto clear = [&](void* data, std::int64_t bytes) {
    return data && bytes > 0 ? cudaMemsetAsync(data, 0, bytes, stream) : cudaSuccess;
  };
  cudaError_t error = clear(params.grad_A, D * N * sizeof(Acc));
  if (error == cudaSuccess) error = clear(params.grad_D, D * sizeof(Acc));
  if (error == cudaSuccess) error = clear(params.grad_delta_bias, D * sizeof(Acc));
  const std::int64_t tokens = params.batch * params.sequences.length;
  if (error == cudaSuccess) error = clear(params.grad_B.data, tokens * N * sizeof(T));
  if (error == cudaSuccess) error = clear(params.grad_C.data, tokens * N * sizeof(T));
  const std::int64_t states = params.sequences.count * D * N * sizeof(Acc);
  if (error != cudaSuccess || !params.grad_initial_state || states == 0) return error;
  if (!params.grad_last_state) return clear(params.grad_initial_state, states);
  return cudaMemcpyAsync(params.grad_initial_state, params.grad_last_state, states,
                         cudaMemcpyDeviceToDevice, stream);
}

}  // namespace

template <typename T>
std::int64_t selective_scan_backward_scratch_cuda(const SelectiveScanBackwardParams<T>& params) {
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (takes_fast_path(params)) return scan_backward_scratch_fast(params);
  }
  return scan_backward_scratch_portable(params);
}

template <typename T>
cudaError_t selective_scan_backward_cuda(const SelectiveScanBackwardParams<T>& params,
                                         cudaStream_t stream) {
  const std::int64_t tokens = params.batch * params.sequences.length;
  if (params.sequences.count < 0 || params.sequences.length < 0 || params.batch < 0 ||
      params.channels < 0 || params.states < 0 ||
      !fits_grid(params.sequences.count, ceil_div(params.channels, kFewestChannels)) ||
      !fits_grid(tokens, params.states)) {
    return cudaErrorInvalidValue;
  }
  if (tokens == 0 || params.channels == 0) return without_tokens(params, stream);
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (takes_fast_path(params)) return scan_backward_fast(params, stream);
  }
  return scan_backward_portable(params, stream);
}

template std::int64_t selective_scan_backward_scratch_cuda(
    const SelectiveScanBackwardParams<float>&);
template std::int64_t selective_scan_backward_scratch_cuda(
    const SelectiveScanBackwardParams<double>&);
template std::int64_t selective_scan_backward_scratch_cuda(
    const SelectiveScanBackwardParams<BFloat16>&);
template std::int64_t selective_scan_backward_scratch_cuda(
    const SelectiveScanBackwardParams<Float16>&);
template cudaError_t selective_scan_backward_cuda(const SelectiveScanBackwardParams<float>&,
                                                  cudaStream_t);
template cudaError_t selective_scan_backward_cuda(const SelectiveScanBackwardParams<double>&,
                                                  cudaStream_t);
template cudaError_t selective_scan_backward_cuda(const SelectiveScanBackwardParams<BFloat16>&,
                                                  cudaStream_t);
template cudaError_t selective_scan_backward_cuda(const SelectiveScanBackwardParams<Float16>&,
                                                  cudaStream_t);

}  // namespace simba::kernels
