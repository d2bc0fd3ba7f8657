// The two CUDA kernels of in_proj_step.h, of which in_proj_step_cuda chooses. Sizes are valid and
// there is something to do.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/in_proj_step/in_proj_step.h"

namespace simba::kernels {

template <typename T>
cudaError_t in_proj_step_portable(const InProjStepParams<T>& params, cudaStream_t stream);

// in_proj streams through registers. Takes d_model up to 4096, a multiple of 8, with all of its
// arrays where packets of 8 elements can be moved, and 4 conv weights a channel that lie where they
// can be moved as one. Does not look at S: a sequence's results do not depend on the others.
template <typename T>
bool fast_path_takes(const InProjStepParams<T>& params);
template <typename T>
cudaError_t in_proj_step_fast(const InProjStepParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
