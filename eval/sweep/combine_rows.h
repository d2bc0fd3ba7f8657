// The rows of several [[methods]] as those of one table.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

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
      std::size_t known = 0;
      while (known < truncated.size() && !same_input(truncated[known], row)) ++known;
      if (known == truncated.size()) {
        truncated.push_back(std::move(row));
        continue;
      }
      for (auto& match : row.matches) {
        bool there = false;
        for (const auto& other : truncated[known].matches) there |= other.method == match.method;
        if (!there) truncated[known].matches.push_back(std::move(match));
      }
      auto& method = truncated[known].method;
      if (method.retention && row.method.retention &&
          method.retention->text() != row.method.retention->text()) {
        method.retention.reset();
      }
    }
  }
  for (Row& row : truncated) rows.push_back(std::move(row));
  return rows;
}

}  // namespace simba::eval
