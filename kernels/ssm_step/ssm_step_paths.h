// The two CUDA kernels of ssm_step.h, of which ssm_step_cuda chooses. Sizes are valid and there is
// something to do.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/ssm_step/ssm_step.h"

namespace simba::kernels {

template <typename T>
cudaError_t ssm_step_portable(const SsmStepParams<T>& params, cudaStream_t stream);

// Everything of a channel is asked for at once. Takes N = 16, and R up to 160 in packets of 16
// bytes of T, with dt_B_C, dt_proj, the states and A where such packets can be moved.
template <typename T>
bool fast_path_takes(const SsmStepParams<T>& params);
template <typename T>
cudaError_t ssm_step_fast(const SsmStepParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
