// The criteria that exist. Each is a class in a file of its own, made by the function declared here
// and listed in criterion.cpp.
#pragma once

#include <memory>

#include "csrc/model/criterion.h"

namespace simba {

std::shared_ptr<const Criterion> make_influence(const CriterionOptions& options);
std::shared_ptr<const Criterion> make_delta_norm(const CriterionOptions& options);
std::shared_ptr<const Criterion> make_delta(const CriterionOptions& options);
std::shared_ptr<const Criterion> make_recent(const CriterionOptions& options);
std::shared_ptr<const Criterion> make_spaced(const CriterionOptions& options);
std::shared_ptr<const Criterion> make_random(const CriterionOptions& options);

// Keeps the keep[s] highest-scoring tokens of each sequence by (score, position). scores: (1, R).
Kept keep_highest(const SsmInputs& inputs, const at::Tensor& scores,
                  const std::vector<std::int64_t>& keep);

// Keeps given positions: chosen[i] are flat, ascending per sequence, keep[s] of them for sequence
// s.
Kept keep_positions(const SsmInputs& inputs, const std::vector<std::int64_t>& chosen,
                    const std::vector<std::int64_t>& keep);

}  // namespace simba
