#include "eval/tasks/batches.h"

#include <algorithm>
#include <numeric>

namespace simba::eval {

std::vector<Batch> make_batches(const std::vector<ContextGroup>& groups,
                                const std::vector<std::int64_t>& lengths,
                                std::int64_t batch_tokens) {
  std::vector<std::size_t> order(groups.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<Batch> batches;
  std::int64_t room = 0;
  for (const std::size_t group : order) {
    const std::int64_t tokens = lengths[group] + groups[group].extended_tokens();
    if (batches.empty() || tokens > room) {
      batches.emplace_back();
      room = batch_tokens;
    }
    batches.back().push_back(group);
    room -= tokens;
  }
  return batches;
}

}  // namespace simba::eval
