#include "kernels/causal_conv1d/causal_conv1d_cuda.h"

#include "kernels/causal_conv1d/causal_conv1d_paths.h"
#include "kernels/cuda/path.h"

namespace simba::kernels {

template <typename T>
cudaError_t causal_conv1d_cuda(const CausalConv1dParams<T>& params, cudaStream_t stream) {
  const Sequences& sequences = params.sequences;
  if (sequences.count < 0 || sequences.length < 0 || params.channels < 0 || params.width < 1) {
    return cudaErrorInvalidValue;
  }
  if (sequences.count == 0 || params.channels == 0) return cudaSuccess;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
      return causal_conv1d_fast(params, stream);
    }
  }
  return causal_conv1d_portable(params, stream);
}

template cudaError_t causal_conv1d_cuda(const CausalConv1dParams<float>&, cudaStream_t);
template cudaError_t causal_conv1d_cuda(const CausalConv1dParams<double>&, cudaStream_t);
template cudaError_t causal_conv1d_cuda(const CausalConv1dParams<BFloat16>&, cudaStream_t);
template cudaError_t causal_conv1d_cuda(const CausalConv1dParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
