#include "kernels/ssm_step/ssm_step_cuda.h"

#include "kernels/cuda/launch.h"
#include "kernels/cuda/path.h"
#include "kernels/ssm_step/ssm_step_paths.h"

namespace simba::kernels {

template <typename T>
cudaError_t ssm_step_cuda(const SsmStepParams<T>& params, cudaStream_t stream) {
  constexpr std::int64_t kMaxSequences = 65535;  // of a grid's second dimension
  if (params.sequences < 0 || params.sequences > kMaxSequences || params.channels < 0 ||
      params.channels > kMaxGridBlocks || params.states < 0 || params.dt_rank < 0) {
    return cudaErrorInvalidValue;
  }
  if (params.sequences == 0 || params.channels == 0) return cudaSuccess;
  if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
    return ssm_step_fast(params, stream);
  }
  return ssm_step_portable(params, stream);
}

template cudaError_t ssm_step_cuda(const SsmStepParams<float>&, cudaStream_t);
template cudaError_t ssm_step_cuda(const SsmStepParams<BFloat16>&, cudaStream_t);
template cudaError_t ssm_step_cuda(const SsmStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
