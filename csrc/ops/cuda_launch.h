// The CUDA side of launch.h: torch's current stream, and launch errors as one clear line.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "csrc/ops/checks.h"

namespace simba::ops {

cudaStream_t current_stream(std::int32_t device);

// Throws where `error` is one. A device that this library holds no code for is told apart: the
// message names its architecture and the library's.
void check_cuda(const Checks& check, cudaError_t error, std::int32_t device);

}  // namespace simba::ops
