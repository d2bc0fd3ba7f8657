// Rows that spend a given number of FLOPs: retentions solved for a budget, and dense on truncated
// contexts. Totals are those of the whole run, and agree within 1 %.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "csrc/model/budget.h"
#include "eval/methods.h"

namespace simba::eval {

// A budget that a row's retention was solved for.
struct SolvedBudget {
  std::string text;  // as written
  double flops;
};

// A row whose FLOPs a truncated row spends.
struct Match {
  std::string method;  // Method::name()
  double budget;       // FLOPs of the whole run: prefill, scores, continuation and head
};

// Throws InputError where a row that was made to spend `budget` FLOPs does not.
void require_budget(double total, double budget);

// `method` at the retention whose run total is nearest to `budget` FLOPs. Throws InputError where
// its schedule has no retention, and what solve_retention throws.
Method solved_method(const ModelShape& model, const std::vector<RunItem>& run, Method method,
                     double budget);

// Of the row that reads truncated contexts densely at the FLOPs of `matched`.
Method truncated_method(const Method& matched);

// The largest distance of `total` from what it matches, as a share.
double farthest_match(const std::vector<Match>& matches, double total);

// "a, b, c"
std::string match_names(const std::vector<Match>& matches);

// Appends a truncated row, or its matches to the row that reads the same tokens and is there
// already; a row that matches several retentions, or schedules, has none itself.
template <typename Row, typename SameTokens>
void merge_truncated(std::vector<Row>& truncated, Row row, SameTokens same_tokens) {
  for (Row& known : truncated) {
    if (!same_tokens(known, row)) continue;
    for (Match& match : row.matches) {
      bool there = false;
      for (const Match& other : known.matches) there |= other.method == match.method;
      if (!there) known.matches.push_back(std::move(match));
    }
    if (known.method.retention && row.method.retention &&
        known.method.retention->text() != row.method.retention->text()) {
      known.method.retention.reset();
    }
    if (known.method.schedule != row.method.schedule) known.method.schedule.reset();
    return;
  }
  truncated.push_back(std::move(row));
}

}  // namespace simba::eval
