// Which context groups are computed together. Formed once, from lengths alone, before anything is
// computed: the same run always has the same batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "eval/tasks/context_groups.h"

namespace simba::eval {

using Batch = std::vector<std::size_t>;  // indices of groups

// Longest contexts first, so that a batch's sequences are of like length and the largest batch,
// which may not fit into memory, comes first. A batch holds at most `batch_tokens` tokens, contexts
// and continuations, or a single group. lengths[i]: tokens of group i's context that are read.
std::vector<Batch> make_batches(const std::vector<ContextGroup>& groups,
                                const std::vector<std::int64_t>& lengths,
                                std::int64_t batch_tokens);

}  // namespace simba::eval
