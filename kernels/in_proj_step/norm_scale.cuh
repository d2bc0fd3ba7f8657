// What RMSNorm multiplies a row with.
#pragma once

#include <cstdint>

namespace simba::kernels {

__device__ inline float norm_scale(float squares, std::int64_t d_model, double eps) {
  return 1 / sqrtf(squares / static_cast<float>(d_model) + static_cast<float>(eps));
}

}  // namespace simba::kernels
