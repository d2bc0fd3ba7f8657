// The instruction sets the CPU kernels are compiled for, and the one chosen at run time.
#pragma once

#include <optional>

namespace simba::kernels {

// kBaseline: x86-64-v2 (SSE4.2), or the compiler's default on other processors. kAvx2: x86-64-v3.
// kAvx512: x86-64-v4. The latter two exist on x86-64 only.
enum class CpuTarget { kBaseline, kAvx2, kAvx512 };

// True if this build holds the target and this processor can run it.
bool cpu_target_supported(CpuTarget target);

// The target every CPU kernel runs on: the widest supported, or what the environment variable
// SIMBA_CPU_TARGET (baseline, avx2 or avx512; read once) names. Throws std::runtime_error if that
// is unknown or not supported here.
CpuTarget cpu_target();

// Forces a target in this process, or with nullopt takes the force back. Throws std::runtime_error
// if the target is not supported here. Not to be called while kernels run.
void force_cpu_target(std::optional<CpuTarget> target);

}  // namespace simba::kernels
