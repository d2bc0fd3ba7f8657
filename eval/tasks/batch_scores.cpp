#include "eval/tasks/batch_scores.h"

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/run/exact_number.h"
#include "eval/tasks/token_scores.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

PackedTokens contexts_of(const std::vector<BatchItem>& items) {
  PackedTokens tokens;
  for (const auto& [group, length] : items) {
    tokens.append(group->context.data() + group->context.size() - length, length);
  }
  return tokens;
}

std::vector<std::int64_t> documents_of(const std::vector<BatchItem>& items) {
  std::vector<std::int64_t> documents;
  for (const BatchItem& item : items) documents.push_back(context_document(*item.group));
  return documents;
}

// The continuations of a batch, item after item.
struct Continuations {
  std::vector<std::int64_t> contexts;  // the place in the batch of each one's context
  std::vector<const Continuation*> all;
  PackedTokens fed;  // without the last token, whose prediction nobody reads
};

Continuations continuations_of(const std::vector<BatchItem>& items) {
  Continuations result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const Continuation& continuation : items[i].group->continuations) {
      result.contexts.push_back(static_cast<std::int64_t>(i));
      result.all.push_back(&continuation);
      result.fed.append(continuation.ids.data(),
                        static_cast<std::int64_t>(continuation.ids.size()) - 1);
    }
  }
  return result;
}

void add(const TokenScore& token, ContinuationScore& sum) {
  sum.log_likelihood += token.log_likelihood;
  sum.greedy = sum.greedy && token.is_top;
}

// The first token of each, from the logits after its context.
void score_first_tokens(const at::Tensor& last_logits, const Continuations& continuations,
                        std::vector<ContinuationScore>& scores) {
  std::vector<TokenQuery> queries;
  for (std::size_t i = 0; i < continuations.all.size(); ++i) {
    queries.push_back({continuations.contexts[i], continuations.all[i]->ids.front()});
  }
  const std::vector<TokenScore> tokens = score_tokens(last_logits, queries);
  for (std::size_t i = 0; i < tokens.size(); ++i) add(tokens[i], scores[i]);
}

void score_other_tokens(LanguageModel& model, const State& state,
                        const Continuations& continuations,
                        std::vector<ContinuationScore>& scores) {
  if (continuations.fed.ids.empty()) return;
  const std::unique_ptr<State> copies = state.index(continuations.contexts);
  const at::Tensor logits = model.extend(*copies, continuations.fed);
  std::vector<TokenQuery> queries;
  for (const Continuation* continuation : continuations.all) {
    for (std::size_t k = 1; k < continuation->ids.size(); ++k) {
      queries.push_back({static_cast<std::int64_t>(queries.size()), continuation->ids[k]});
    }
  }
  const std::vector<TokenScore> tokens = score_tokens(logits, queries);
  std::size_t token = 0;
  for (std::size_t i = 0; i < continuations.all.size(); ++i) {
    for (std::size_t k = 1; k < continuations.all[i]->ids.size(); ++k) {
      add(tokens[token++], scores[i]);
    }
  }
}

}  // namespace

BatchScores score_batch(LanguageModel& model, const PruningPlan& plan,
                        const std::vector<BatchItem>& items) {
  const auto start = std::chrono::steady_clock::now();
  const Continuations continuations = continuations_of(items);
  BatchScores scores;
  scores.continuations.resize(continuations.all.size());
  RecentOverlap overlap(model.n_layer());
  const bool drops = !plan.is_dense();
  const Prefill prefill =
      model.prefill(contexts_of(items), drops ? plan.with_documents(documents_of(items)) : plan,
                    drops ? &overlap : nullptr);
  score_first_tokens(prefill.last_logits, continuations, scores.continuations);
  score_other_tokens(model, *prefill.state, continuations, scores.continuations);
  overlap.add_to(scores.overlap);
  scores.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return scores;
}

Json to_record(const BatchScores& scores) {
  Json likelihoods = Json::array();
  Json greedy = Json::array();
  for (const ContinuationScore& score : scores.continuations) {
    likelihoods.push_back(exact_number(score.log_likelihood));
    greedy.push_back(score.greedy ? 1 : 0);
  }
  Json cuts = Json::array();
  for (const auto& [layer, cut] : scores.overlap) cuts.push_back({layer, cut.kept, cut.recent});
  return {{"log_likelihoods", likelihoods},
          {"greedy", greedy},
          {"cuts", cuts},
          {"seconds", scores.seconds}};
}

BatchScores from_record(const Json& record) {
  BatchScores scores;
  const Json& greedy = record.at("greedy");
  for (const Json& value : record.at("log_likelihoods")) {
    const bool is_greedy = greedy.at(scores.continuations.size()).get<int>() != 0;
    scores.continuations.push_back({read_exact_number(value), is_greedy});
  }
  for (const Json& cut : record.at("cuts")) {
    scores.overlap[cut.at(0).get<std::int64_t>()] = {cut.at(1).get<std::int64_t>(),
                                                     cut.at(2).get<std::int64_t>()};
  }
  scores.seconds = record.at("seconds").get<double>();
  return scores;
}

}  // namespace simba::eval
