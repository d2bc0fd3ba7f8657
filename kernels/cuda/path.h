// Which kernels a CUDA launcher may choose: beside the portable kernel of an operator, which takes
// everything, stands a fast one, which takes what the operator's fast_path_takes(params) says.
#pragma once

#include <optional>

namespace simba::kernels {

// kPortable: the portable kernels only. kFast: the fast ones wherever they take the arguments.
enum class CudaPath { kPortable, kFast };

// kFast, or what the environment variable SIMBA_CUDA_PATH (portable or fast; read once) names.
// Throws std::runtime_error if that is unknown.
CudaPath cuda_path();

// Forces a path in this process, or with nullopt takes the force back. Not to be called while
// another thread launches.
void force_cuda_path(std::optional<CudaPath> path);

}  // namespace simba::kernels
