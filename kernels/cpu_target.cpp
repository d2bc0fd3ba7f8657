#include "kernels/cpu_target.h"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace simba::kernels {
namespace {

struct NamedTarget {
  std::string_view name;
  CpuTarget target;
};
constexpr std::array kTargets = {NamedTarget{"avx512", CpuTarget::kAvx512},
                                 NamedTarget{"avx2", CpuTarget::kAvx2},
                                 NamedTarget{"baseline", CpuTarget::kBaseline}};

std::optional<CpuTarget> forced_target;

std::string supported_names() {
  std::string names;
  for (const NamedTarget& candidate : kTargets) {
    if (!cpu_target_supported(candidate.target)) continue;
    names += (names.empty() ? "" : ", ") + std::string(candidate.name);
  }
  return names;
}

CpuTarget choose_target() {
  const char* wanted = std::getenv("SIMBA_CPU_TARGET");
  for (const NamedTarget& candidate : kTargets) {
    if (wanted ? candidate.name == wanted && cpu_target_supported(candidate.target)
               : cpu_target_supported(candidate.target)) {
      return candidate.target;
    }
  }
  throw std::runtime_error("SIMBA_CPU_TARGET: expected one of " + supported_names() +
                           " on this processor, got '" + std::string(wanted ? wanted : "") + "'");
}

}  // namespace

bool cpu_target_supported(CpuTarget target) {
#if defined(__x86_64__)
  // The builtins ask the operating system too whether it saves the wide registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                    __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
  switch (target) {
    case CpuTarget::kAvx512:
      return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case CpuTarget::kAvx2:
      return avx2;
    case CpuTarget::kBaseline:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("aes") &&
             __builtin_cpu_supports("pclmul");
  }
  return false;
#else
  return target == CpuTarget::kBaseline;
#endif
}

CpuTarget cpu_target() {
  if (forced_target) return *forced_target;
  static const CpuTarget chosen = choose_target();
  return chosen;
}

void force_cpu_target(std::optional<CpuTarget> target) {
  if (target && !cpu_target_supported(*target)) {
    throw std::runtime_error("force_cpu_target: expected one of " + supported_names() +
                             " on this processor, got another");
  }
  forced_target = target;
}

}  // namespace simba::kernels
