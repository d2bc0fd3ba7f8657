// Requests with the same context ids, which share one prefill: a question's choices, or questions
// that are equal. (WinoGrande's contexts differ from choice to choice.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "csrc/model/budget.h"
#include "csrc/model/model_shape.h"
#include "eval/tasks/encoding.h"

namespace simba::eval {

struct Continuation {
  std::size_t document;  // whose question it answers
  std::size_t choice;
  std::vector<std::int64_t> ids;
};

struct ContextGroup {
  std::vector<std::int64_t> context;
  std::vector<Continuation> continuations;

  std::int64_t context_length() const { return static_cast<std::int64_t>(context.size()); }
  // Tokens fed after the context, over all continuations: the first of each is read from the
  // context's last logits.
  std::int64_t extended_tokens() const;
};

// requests[d][c]: of document d, choice c. In the order in which contexts first appear.
std::vector<ContextGroup> group_by_context(
    const std::vector<std::vector<EncodedRequest>>& requests);

// Of contexts under the plan and all continuations, each from a copy of the state after its
// context. lengths[i]: the newest tokens of group i's context that are read.
FlopCount groups_flops(const ModelShape& model, const std::vector<ContextGroup>& groups,
                       const std::vector<std::int64_t>& lengths, const PruningPlan& plan);

// What a random criterion draws from: a number that depends on the context's ids alone.
std::int64_t context_document(const ContextGroup& group);

}  // namespace simba::eval
