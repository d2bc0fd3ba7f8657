// The rows of several [[methods]] as those of one table.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "eval/matched_flops.h"

namespace simba::eval {

// blocks[i]: of one [[methods]], dense first, then pruned rows, then truncated ones. Dense comes
// once, a pruned row that several blocks have once, and truncated rows last: those that read the
// same tokens (`same_input`) become one, which matches all rows that they matched.
template <typename Row, typename SameInput>
std::vector<Row> combine_rows(std::vector<std::vector<Row>> blocks, SameInput same_input) {
  std::vector<Row> rows;
  std::vector<Row> truncated;
  std::set<std::string> names;
  for (std::vector<Row>& block : blocks) {
    for (Row& row : block) {
      if (row.matches.empty()) {
        if (names.insert(row.method.name()).second) rows.push_back(std::move(row));
        continue;
      }
      merge_truncated(truncated, std::move(row), same_input);
    }
  }
  for (Row& row : truncated) rows.push_back(std::move(row));
  return rows;
}

}  // namespace simba::eval
