#include "kernels/in_proj_step/in_proj_step_cuda.h"

#include "kernels/cuda/launch.h"
#include "kernels/cuda/path.h"
#include "kernels/gemv/gemv.h"
#include "kernels/in_proj_step/in_proj_step_paths.h"

namespace simba::kernels {

template <typename T>
cudaError_t in_proj_step_cuda(const InProjStepParams<T>& params, cudaStream_t stream) {
  if (params.rows < 0 || params.rows > kFewRows || params.d_model < 1 || params.channels < 0 ||
      params.channels > kMaxGridBlocks || params.width < 1 || params.width > kInProjStepWidth ||
      params.rows * params.d_model * static_cast<std::int64_t>(sizeof(T)) > kInProjStepBytes) {
    return cudaErrorInvalidValue;
  }
  if (params.rows == 0 || params.channels == 0) return cudaSuccess;
  if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
    return in_proj_step_fast(params, stream);
  }
  return in_proj_step_portable(params, stream);
}

template cudaError_t in_proj_step_cuda(const InProjStepParams<float>&, cudaStream_t);
template cudaError_t in_proj_step_cuda(const InProjStepParams<BFloat16>&, cudaStream_t);
template cudaError_t in_proj_step_cuda(const InProjStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
