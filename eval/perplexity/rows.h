// The rows of a perplexity table: every method at every context and, under --match-flops, the dense
// model on a truncated context of the same cost.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "csrc/model/model_shape.h"
#include "eval/matched_flops.h"

namespace simba::eval {

struct Row {
  Method method;
  std::int64_t context;  // tokens before the scored ones
  std::int64_t length;   // the newest of them that the model reads: fewer in a truncated row alone
  std::vector<Match> matches;  // truncated rows
  FlopCount flops;             // of the whole run
};

// What every row of a run has in common.
struct RunShape {
  std::int64_t windows;
  std::int64_t score;  // scored tokens per window: the first is read from the context's last logits
};

// Context by context in the order given, dense first in each.
std::vector<Row> make_rows(const ModelShape& model, const std::vector<Method>& methods,
                           const std::vector<std::int64_t>& contexts, const RunShape& shape);

// Inserts, after the rows of each context, dense on the newest tokens whose run total is within 1 %
// of each pruned row's, one row per different length. Throws InputError, naming the row, where no
// length reaches it.
std::vector<Row> with_matched_flops(const ModelShape& model, std::vector<Row> rows,
                                    const RunShape& shape);

}  // namespace simba::eval
