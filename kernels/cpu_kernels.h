// The CPU kernels per target: NAME_cpu.cpp is compiled once for every CpuTarget and instantiates
// its template for that one alone; cpu_dispatch.cpp calls them. Arguments as in NAME.h.
#pragma once

#include <cstdint>

#include "kernels/add_norm/add_norm.h"
#include "kernels/add_norm_backward/add_norm_backward.h"
#include "kernels/causal_conv1d/causal_conv1d.h"
#include "kernels/causal_conv1d_backward/causal_conv1d_backward.h"
#include "kernels/cpu_target.h"
#include "kernels/gate/gate.h"
#include "kernels/gate_backward/gate_backward.h"
#include "kernels/influence_scores/influence_scores.h"
#include "kernels/selective_scan/selective_scan.h"
#include "kernels/selective_scan_backward/selective_scan_backward.h"
#include "kernels/selective_state_update/selective_state_update.h"

namespace simba::kernels {

// Channels of a work item: fixed, so that neither the number of threads nor the target moves a
// block. Influence takes more, since its bound skips the more vectors the more channels it
// compares.
inline constexpr std::int64_t kBlockChannels = 64;
inline constexpr std::int64_t kInfluenceBlockChannels = 128;

// Source rows of a work item of add_norm_backward.
inline constexpr std::int64_t kNormBackwardRun = 128;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Steps of a work item of causal_conv1d. A sequence without steps has an item too: for its state.
inline constexpr std::int64_t kConvTileSteps = 64;
constexpr std::int64_t conv_tiles(std::int64_t length) {
  return length == 0 ? 1 : ceil_div(length, kConvTileSteps);
}

// selective_scan_backward adds up grad_B and grad_C over the blocks of a group, and keeps one copy
// of them for each group: at most this many.
inline constexpr std::int64_t kScanBackwardGroups = 16;
constexpr std::int64_t scan_backward_group_blocks(std::int64_t channels) {
  return ceil_div(ceil_div(channels, kBlockChannels), kScanBackwardGroups);
}
constexpr std::int64_t scan_backward_groups(std::int64_t channels) {
  return channels == 0
             ? 0
             : ceil_div(ceil_div(channels, kBlockChannels), scan_backward_group_blocks(channels));
}

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

template <CpuTarget target, typename T>
void selective_scan_backward_target(const SelectiveScanBackwardParams<T>& params,
                                    std::int64_t begin, std::int64_t end);
template <CpuTarget target, typename T>
void selective_scan_backward_sum_tokens_target(const SelectiveScanBackwardParams<T>& params,
                                               std::int64_t begin, std::int64_t end);
template <CpuTarget target, typename T>
void selective_scan_backward_sum_channels_target(const SelectiveScanBackwardParams<T>& params,
                                                 std::int64_t begin, std::int64_t end);
template <CpuTarget target, typename T>
void causal_conv1d_backward_target(const CausalConv1dBackwardParams<T>& params, std::int64_t begin,
                                   std::int64_t end);
template <CpuTarget target, typename T>
void causal_conv1d_backward_sum_target(const CausalConv1dBackwardParams<T>& params,
                                       std::int64_t begin, std::int64_t end);
template <CpuTarget target, typename T, typename R>
void add_norm_backward_target(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                              std::int64_t end);
template <CpuTarget target, typename T, typename R>
void add_norm_backward_sum_target(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                                  std::int64_t end);
template <CpuTarget target, typename T>
void gate_backward_target(const GateBackwardParams<T>& params, std::int64_t begin,
                          std::int64_t end);

}  // namespace simba::kernels
