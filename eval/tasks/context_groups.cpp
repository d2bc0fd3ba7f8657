#include "eval/tasks/context_groups.h"

#include <map>
#include <utility>

namespace simba::eval {
namespace {

using Multiplicity = std::map<std::int64_t, std::int64_t>;

// How many continuations of each number of fed tokens.
Multiplicity extensions(const ContextGroup& group) {
  Multiplicity counts;
  for (const Continuation& continuation : group.continuations) {
    ++counts[static_cast<std::int64_t>(continuation.ids.size()) - 1];
  }
  return counts;
}

FlopCount flops_of(const ModelShape& model, std::int64_t length, const Multiplicity& extended,
                   const PruningPlan& plan) {
  const FlopCount context = model.flops(length, plan, 0);
  FlopCount sum = context;
  for (const auto& [tokens, count] : extended) {
    const FlopCount one = model.flops(length, plan, tokens);
    sum.continuation += static_cast<double>(count) * one.continuation;
    sum.head += static_cast<double>(count) * (one.head - context.head);
  }
  return sum;
}

}  // namespace

std::int64_t ContextGroup::extended_tokens() const {
  std::int64_t tokens = 0;
  for (const Continuation& continuation : continuations) {
    tokens += static_cast<std::int64_t>(continuation.ids.size()) - 1;
  }
  return tokens;
}

std::vector<ContextGroup> group_by_context(
    const std::vector<std::vector<EncodedRequest>>& requests) {
  std::vector<ContextGroup> groups;
  std::map<std::vector<std::int64_t>, std::size_t> known;
  for (std::size_t document = 0; document < requests.size(); ++document) {
    for (std::size_t choice = 0; choice < requests[document].size(); ++choice) {
      const EncodedRequest& request = requests[document][choice];
      const auto [found, is_new] = known.try_emplace(request.context, groups.size());
      if (is_new) groups.push_back({request.context, {}});
      groups[found->second].continuations.push_back({document, choice, request.continuation});
    }
  }
  return groups;
}

FlopCount groups_flops(const ModelShape& model, const std::vector<ContextGroup>& groups,
                       const std::vector<std::int64_t>& lengths, const PruningPlan& plan) {
  std::map<std::pair<std::int64_t, Multiplicity>, FlopCount> known;
  FlopCount sum;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Multiplicity extended = extensions(groups[i]);
    const auto [found, is_new] = known.try_emplace({lengths[i], extended});
    if (is_new) found->second = flops_of(model, lengths[i], extended, plan);
    sum += found->second;
  }
  return sum;
}

std::int64_t context_document(const ContextGroup& group) {
  // FNV-1a, 64 bits, over the ids.
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::int64_t id : group.context) {
    hash = (hash ^ static_cast<std::uint64_t>(id)) * 0x100000001b3u;
  }
  return static_cast<std::int64_t>(hash >> 1);
}

}  // namespace simba::eval
