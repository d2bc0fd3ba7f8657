// Calls a kernel on the CPU target chosen for this process.
#pragma once

#include "kernels/cpu_kernels.h"

namespace simba::kernels {

// Calls run.operator()<target>() with the chosen target as a template argument.
template <typename Run>
void on_cpu_target(const Run& run) {
  switch (cpu_target()) {
#if defined(__x86_64__)
    case CpuTarget::kAvx512:
      return run.template operator()<CpuTarget::kAvx512>();
    case CpuTarget::kAvx2:
      return run.template operator()<CpuTarget::kAvx2>();
#endif
    default:
      return run.template operator()<CpuTarget::kBaseline>();
  }
}

}  // namespace simba::kernels
