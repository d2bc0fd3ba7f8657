#include "kernels/add_norm/add_norm_cuda.h"

#include "kernels/add_norm/add_norm_paths.h"
#include "kernels/cuda/path.h"

namespace simba::kernels {

template <typename T, typename R>
cudaError_t add_norm_cuda(const AddNormParams<T, R>& params, cudaStream_t stream) {
  if (params.batch < 0 || params.rows < 0 || params.channels < 0) return cudaErrorInvalidValue;
  if (params.batch == 0 || params.rows == 0 || params.channels == 0) return cudaSuccess;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
      return add_norm_fast(params, stream);
    }
  }
  return add_norm_portable(params, stream);
}

template cudaError_t add_norm_cuda(const AddNormParams<float, float>&, cudaStream_t);
template cudaError_t add_norm_cuda(const AddNormParams<double, double>&, cudaStream_t);
template cudaError_t add_norm_cuda(const AddNormParams<BFloat16, BFloat16>&, cudaStream_t);
template cudaError_t add_norm_cuda(const AddNormParams<BFloat16, float>&, cudaStream_t);
template cudaError_t add_norm_cuda(const AddNormParams<Float16, Float16>&, cudaStream_t);
template cudaError_t add_norm_cuda(const AddNormParams<Float16, float>&, cudaStream_t);

}  // namespace simba::kernels
