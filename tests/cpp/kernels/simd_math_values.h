// The functions of kernels/simd_math.h and the conversions of kernels/simd.h over arrays, per CPU
// target.
#pragma once

#include <cstdint>

#include "kernels/cpu_target.h"
#include "kernels/dtype.h"

namespace simba::kernels::testing {

enum class Function {
  kExp2,
  kFlushedExp2,
  kExp,
  kLog2,
  kLog1pRatio,
  kSoftplus,
  kLog2Softplus,
  kSilu
};

// out[i] = function(in[i]).
template <CpuTarget target, typename Acc>
void evaluate(Function function, const Acc* in, Acc* out, std::int64_t count);

// T: BFloat16 or Float16.
template <CpuTarget target, typename T>
void widen(const T* in, float* out, std::int64_t count);
template <CpuTarget target, typename T>
void round_to(const float* in, T* out, std::int64_t count);

}  // namespace simba::kernels::testing
