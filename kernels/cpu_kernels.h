// The CPU kernels per target: NAME_cpu.cpp is compiled once for every CpuTarget and instantiates
// its template for that one alone; cpu_dispatch.cpp calls them. Arguments as in NAME.h.
#pragma once

#include <cstdint>

#include "kernels/add_norm/add_norm.h"
#include "kernels/causal_conv1d/causal_conv1d.h"
#include "kernels/cpu_target.h"
#include "kernels/gate/gate.h"
#include "kernels/influence_scores/influence_scores.h"
#include "kernels/selective_scan/selective_scan.h"
#include "kernels/selective_state_update/selective_state_update.h"

namespace simba::kernels {

// Channels of a work item: fixed, so that neither the number of threads nor the target moves a
// block. Influence takes more, since its bound skips the more vectors the more channels it
// compares.
inline constexpr std::int64_t kBlockChannels = 64;
inline constexpr std::int64_t kInfluenceBlockChannels = 128;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

template <CpuTarget target, typename T>
void selective_scan_target(const SelectiveScanParams<T>& params, std::int64_t begin,
                           std::int64_t end);
template <CpuTarget target, typename T>
void selective_state_update_target(const SelectiveStateUpdateParams<T>& params, std::int64_t begin,
                                   std::int64_t end);
template <CpuTarget target, typename T>
void influence_scores_target(const InfluenceScoresParams<T>& params, std::int64_t begin,
                             std::int64_t end);
template <CpuTarget target, typename T>
void influence_scores_reduce_target(const InfluenceScoresParams<T>& params, std::int64_t begin,
                                    std::int64_t end);
template <CpuTarget target, typename T>
void causal_conv1d_target(const CausalConv1dParams<T>& params, std::int64_t begin,
                          std::int64_t end);
template <CpuTarget target, typename T, typename R>
void add_norm_target(const AddNormParams<T, R>& params, std::int64_t begin, std::int64_t end);
template <CpuTarget target, typename T>
void gate_target(const GateParams<T>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
