#include "csrc/model/pruning_plan.h"

#include <numeric>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/model/criteria/criteria.h"
#include "csrc/model/packed_layout.h"

namespace simba {

PruningPlan PruningPlan::dense() { return {}; }

PruningPlan PruningPlan::pruned(Schedule schedule, Retention retention,
                                std::shared_ptr<const Criterion> criterion) {
  if (schedule.uses_retention() && retention.is_one()) return dense();
  PruningPlan plan;
  plan.name_ = criterion->name() + " " + schedule.text();
  if (schedule.uses_retention()) plan.name_ += " r=" + retention.text();
  plan.schedule_ = std::move(schedule);
  plan.retention_ = retention;
  plan.criterion_ = std::move(criterion);
  return plan;
}

PruningPlan PruningPlan::with_forced_indices(std::vector<at::Tensor> forced) const {
  PruningPlan plan = *this;
  plan.forced_ = std::move(forced);
  plan.name_ += " forced";
  return plan;
}

PruningPlan PruningPlan::with_documents(std::vector<std::int64_t> documents) const {
  PruningPlan plan = *this;
  plan.documents_ = std::move(documents);
  return plan;
}

std::vector<std::int64_t> PruningPlan::tokens_per_layer(std::int64_t T,
                                                        std::int64_t n_layer) const {
  if (is_dense()) return std::vector<std::int64_t>(static_cast<std::size_t>(n_layer), T);
  return schedule_.tokens_per_layer(T, n_layer, retention_);
}

std::optional<std::string> PruningPlan::key() const {
  if (forced_) return std::nullopt;
  std::string key = name_;
  for (const std::int64_t document : documents_) key.append(" ").append(std::to_string(document));
  return key;
}

bool PruningPlan::uses_influence() const { return criterion_ && criterion_->uses_influence(); }

Kept PruningPlan::select(const SsmInputs& inputs, std::int64_t layer, std::int64_t n_layer,
                         const std::vector<std::int64_t>& T) const {
  const Kept everything = {{}, inputs.cu_seqlens, inputs.lengths, {}};
  if (is_dense()) return everything;
  const bool after_last_layer = layer + 1 == n_layer;
  std::vector<std::int64_t> keep;
  for (const std::int64_t length : T) {
    keep.push_back(after_last_layer ? 1 : tokens_per_layer(length, n_layer)[layer + 1]);
  }
  if (keep == inputs.lengths) return everything;
  if (after_last_layer) return keep_positions(inputs, last_tokens(inputs.lengths), keep);
  if (forced_) {
    if (layer >= static_cast<std::int64_t>(forced_->size())) {
      throw InputError("forced indices: expected one tensor for each of " +
                       std::to_string(n_layer) + " layers, got " + std::to_string(forced_->size()));
    }
    const at::Tensor& indices = (*forced_)[layer];
    const std::int64_t expected = std::accumulate(keep.begin(), keep.end(), std::int64_t{0});
    if (!indices.defined() || indices.numel() != expected) {
      throw InputError("forced indices: layer " + std::to_string(layer) + " keeps " +
                       std::to_string(expected) + " tokens, got " +
                       (indices.defined() ? std::to_string(indices.numel()) : "none"));
    }
    const at::Device device = inputs.u.device();
    return {indices.to(device).reshape({1, -1}), make_cu_seqlens(keep, device), keep, {}};
  }
  std::vector<std::int64_t> documents = documents_;
  if (documents.empty()) {
    documents.resize(T.size());
    std::iota(documents.begin(), documents.end(), 0);
  }
  if (documents.size() != T.size()) {
    throw InputError("documents: expected one number for each of " + std::to_string(T.size()) +
                     " sequences, got " + std::to_string(documents.size()));
  }
  return criterion_->select(inputs, keep, layer, documents);
}

}  // namespace simba
