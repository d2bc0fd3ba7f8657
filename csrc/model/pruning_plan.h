// The plan of one prefill: how many tokens each layer keeps (schedule, retention) and which
// (criterion).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "csrc/model/criterion.h"
#include "csrc/model/schedule.h"

namespace simba {

class PruningPlan {
 public:
  // Keeps every token in every layer.
  static PruningPlan dense();
  // A retention of 1 with a schedule that uses it is dense.
  static PruningPlan pruned(Schedule schedule, Retention retention,
                            std::shared_ptr<const Criterion> criterion);

  // The same plan with the kept tokens of each layer given (forced[l]: (1, R_kept) flat indices
  // into layer l's packed tokens, as Kept::indices), so that two implementations can be compared
  // past a near-tie. Layers that drop nothing need no entry.
  PruningPlan with_forced_indices(std::vector<at::Tensor> forced) const;

  // What `documents` means to a random criterion: one number per sequence; default 0, 1, 2, ...
  PruningPlan with_documents(std::vector<std::int64_t> documents) const;

  bool is_dense() const { return criterion_ == nullptr; }
  std::vector<std::int64_t> tokens_per_layer(std::int64_t T, std::int64_t n_layer) const;
  bool uses_influence() const;

  // Selects among the tokens of `layer`. T: the original length of every sequence. After the last
  // layer of a pruned plan only the last token of each sequence goes on.
  Kept select(const SsmInputs& inputs, std::int64_t layer, std::int64_t n_layer,
              const std::vector<std::int64_t>& T) const;

  // "dense", or e.g. "influence(decay=no_bias,reduction=max) linear r=0.1". States carry it.
  const std::string& name() const { return name_; }
  // Passes over contexts of the same lengths under plans of the same key differ in their token ids
  // alone, so one captured pass serves them all. nullopt: indices were forced, which no name tells.
  std::optional<std::string> key() const;
  const Schedule& schedule() const { return schedule_; }
  const Retention& retention() const { return retention_; }

 private:
  Schedule schedule_;
  Retention retention_;
  std::shared_ptr<const Criterion> criterion_;
  std::optional<std::vector<at::Tensor>> forced_;
  std::vector<std::int64_t> documents_;
  std::string name_ = "dense";
};

}  // namespace simba
