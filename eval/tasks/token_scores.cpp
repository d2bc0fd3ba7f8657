#include "eval/tasks/token_scores.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "csrc/model/packed_layout.h"
#include "eval/scoring.h"

namespace simba::eval {
namespace {

// Rows turned to double at once: 50k ids make 0.4 GB of them.
constexpr std::int64_t kSlice = 1024;

at::Tensor column(const std::vector<TokenQuery>& queries, std::size_t begin, std::size_t end,
                  std::int64_t TokenQuery::*field, at::Device device) {
  std::vector<std::int64_t> values;
  for (std::size_t i = begin; i < end; ++i) values.push_back(queries[i].*field);
  return make_index(values, device);
}

}  // namespace

std::vector<TokenScore> score_tokens(const at::Tensor& logits,
                                     const std::vector<TokenQuery>& queries) {
  if (queries.empty()) return {};
  if (!logits.is_cpu()) return score_tokens_on_device(logits, queries);
  const Predictions predictions(logits);
  std::vector<TokenScore> scores;
  for (const auto& [row, token] : queries) {
    scores.push_back({-predictions.nll(row, token), predictions.top(row) == token});
  }
  return scores;
}

std::vector<TokenScore> score_tokens_on_device(const at::Tensor& logits,
                                               const std::vector<TokenQuery>& queries) {
  std::vector<TokenScore> scores;
  for (std::size_t begin = 0; begin < queries.size(); begin += kSlice) {
    const std::size_t end = std::min(queries.size(), begin + kSlice);
    const at::Device device = logits.device();
    const at::Tensor rows =
        logits.index_select(0, column(queries, begin, end, &TokenQuery::row, device));
    const at::Tensor wide = rows.to(at::kDouble);
    const at::Tensor tokens = column(queries, begin, end, &TokenQuery::token, device);
    const at::Tensor likelihood =
        wide.gather(1, tokens.unsqueeze(1)).squeeze(1).sub(at::logsumexp(wide, {1}));
    const at::Tensor is_top = at::argmax(rows, 1).eq(tokens).to(at::kDouble);
    const at::Tensor both = at::stack({likelihood, is_top}).to(at::kCPU);
    const double* value = both.const_data_ptr<double>();
    for (std::size_t i = 0; i < end - begin; ++i) {
      scores.push_back({value[i], value[end - begin + i] != 0});
    }
  }
  return scores;
}

}  // namespace simba::eval
