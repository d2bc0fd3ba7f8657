// What a model costs and how large it is, known from its configuration alone: plans and budgets are
// made from a shape, before any weight is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "csrc/model/flops.h"
#include "csrc/model/pruning_plan.h"

namespace simba {

class ModelShape {
 public:
  virtual ~ModelShape() = default;

  // FLOPs of one sequence: a context of T >= 1 tokens under the plan (logits read once, after it),
  // then `continuation` further tokens with their logits. Throws InputError where the family cannot
  // follow the plan.
  virtual FlopCount flops(std::int64_t T, const PruningPlan& plan,
                          std::int64_t continuation) const = 0;

  virtual std::int64_t n_layer() const = 0;
  virtual std::int64_t vocab_size() const = 0;  // V: rows of the head, padding rows included
  virtual std::int64_t parameters() const = 0;  // a head tied to the embedding counts once
  // The most tokens that one sequence may hold, continuation included; nullopt: no limit.
  virtual std::optional<std::int64_t> max_length() const = 0;
  virtual std::string family() const = 0;  // "mamba" | "gpt_neox"
};

}  // namespace simba
