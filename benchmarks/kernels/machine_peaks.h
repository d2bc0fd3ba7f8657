// Loops that do one thing as fast as a CPU target can, to hold kernels against.
#pragma once

#include <cstdint>

#include "kernels/cpu_target.h"

namespace simba::kernels::benchmarks {

// Runs `rounds` times kPeakVectors independent operations of whole vectors of float; the result
// depends on all of them. exp2 is kernels/simd_math.h's, as the scan uses it.
inline constexpr std::int64_t kPeakVectors = 12;
template <CpuTarget target>
float fma_peak(std::int64_t rounds);
template <CpuTarget target>
float exp2_peak(std::int64_t rounds);

// Floats of a vector.
template <CpuTarget target>
std::int64_t vector_lanes();

}  // namespace simba::kernels::benchmarks
