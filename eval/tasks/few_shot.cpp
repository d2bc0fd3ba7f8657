#include "eval/tasks/few_shot.h"

#include <algorithm>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/model/splitmix64.h"

namespace simba::eval {

Sampling parse_sampling(const std::string& text) {
  if (text == "first_n") return Sampling::kFirstN;
  if (text == "seeded") return Sampling::kSeeded;
  throw InputError("--fewshot: expected first_n or seeded, got '" + text + "'");
}

std::string sampling_name(Sampling sampling) {
  return sampling == Sampling::kFirstN ? "first_n" : "seeded";
}

FewShot::FewShot(const TaskConfig& task, const DocumentFile& pool, std::int64_t shots,
                 Sampling sampling, std::int64_t seed)
    : shots_(static_cast<std::size_t>(shots)),
      sampling_(sampling),
      seed_(static_cast<std::uint64_t>(seed)) {
  // first_n never reads past the head, and the question itself may stand in it.
  const std::size_t count = sampling == Sampling::kFirstN
                                ? std::min(shots_ + 1, pool.documents.size())
                                : pool.documents.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Example example = make_example(task, pool.documents[i]);
    pool_.push_back(
        {example.where, example.answered(task.target_delimiter) + task.example_delimiter});
  }
}

std::string FewShot::prefix(const Example& question, std::size_t number) const {
  if (shots_ == 0) return "";
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  const std::uint64_t key = splitmix64(splitmix64(seed_) ^ number);
  for (std::size_t i = 0; i < pool_.size(); ++i) {
    if (pool_[i].where == question.where) continue;
    order.emplace_back(sampling_ == Sampling::kFirstN ? i : splitmix64(key ^ splitmix64(i)), i);
  }
  if (order.size() < shots_) {
    throw InputError("--shots: expected at most " + std::to_string(order.size()) +
                     ", the examples there are beside the question, got " + std::to_string(shots_));
  }
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shots_),
                    order.end());
  std::string text;
  for (std::size_t i = 0; i < shots_; ++i) text += pool_[order[i].second].text;
  return text;
}

}  // namespace simba::eval
