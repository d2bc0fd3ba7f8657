#include "csrc/model/gpt_neox/gpt_neox.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/index_select.h>

#include <utility>

#include "csrc/input_error.h"
#include "csrc/model/gpt_neox/state.h"
#include "csrc/model/linear.h"
#include "csrc/model/packed_layout.h"
#include "csrc/model/token_checks.h"

namespace simba {
namespace {

void check_lengths(const char* who, const std::vector<std::int64_t>& past,
                   const std::vector<std::int64_t>& lengths, std::int64_t most) {
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    if (past[s] + lengths[s] > most) {
      throw InputError(std::string(who) + ": expected sequences of at most " +
                       std::to_string(most) + " tokens, the positions that the model knows, got " +
                       std::to_string(past[s] + lengths[s]));
    }
  }
}

}  // namespace

GptNeoX::GptNeoX(GptNeoXConfig config, GptNeoXWeights weights)
    : config_(config),
      weights_(std::move(weights)),
      rotary_(config_, weights_.embedding.scalar_type(), weights_.embedding.device()) {
  for (const GptNeoXLayerWeights& layer : weights_.layers) layers_.emplace_back(config_, layer);
}

at::Tensor GptNeoX::run_layers(const PackedTokens& packed, const std::vector<std::int64_t>& past,
                               std::vector<KeysAndValues>& caches, Observer* observer) const {
  Tokens tokens;
  tokens.cu_seqlens = make_cu_seqlens(packed.lengths, device());
  tokens.lengths = packed.lengths;
  tokens.positions = make_positions(past, packed.lengths, device());
  SsmInputs inputs;
  inputs.cu_seqlens = tokens.cu_seqlens;
  inputs.lengths = tokens.lengths;
  inputs.positions = tokens.positions;

  const RotaryEmbedding::Turns turns = rotary_.at(tokens.positions);
  const PackedAttention attention(past, packed.lengths, device());
  at::Tensor stream = at::embedding(weights_.embedding, make_index(packed.ids, device()));
  for (std::int64_t l = 0; l < config_.n_layer; ++l) {
    stream = layers_[l].forward(stream, turns, attention, caches[l]);
    if (observer == nullptr) continue;
    tokens.hidden = stream.unsqueeze(0);
    observer->saw(l, tokens, inputs, {{}, tokens.cu_seqlens, tokens.lengths, {}});
  }
  return stream;
}

at::Tensor GptNeoX::logits(const at::Tensor& stream) const {
  const at::Tensor normed = layer_norm(stream, weights_.final_norm_weight, weights_.final_norm_bias,
                                       config_.norm_epsilon);
  const at::Tensor logits = apply_linear(normed, weights_.lm_head, {});
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

Prefill GptNeoX::prefill(const PackedTokens& packed, const PruningPlan& plan, Observer* observer) {
  const at::AutoDispatchBelowAutograd guard;
  check_dense(plan);
  check_contexts(packed, vocab_size());
  const std::vector<std::int64_t> from_start(packed.lengths.size(), 0);
  check_lengths("prefill", from_start, packed.lengths, config_.max_length);
  std::vector<KeysAndValues> caches(static_cast<std::size_t>(config_.n_layer));
  const at::Tensor stream = run_layers(packed, from_start, caches, observer);
  at::Tensor last_logits =
      logits(stream.index_select(0, make_index(last_tokens(packed.lengths), device())));
  return {std::make_unique<GptNeoXState>(std::move(caches), packed.lengths, plan.name()),
          std::move(last_logits)};
}

at::Tensor GptNeoX::extend(State& state, const PackedTokens& packed, Observer* observer) {
  const at::AutoDispatchBelowAutograd guard;
  auto* own = dynamic_cast<GptNeoXState*>(&state);
  if (!own || static_cast<std::int64_t>(own->layers.size()) != config_.n_layer) {
    throw InputError("extend: expected a state made by this model's prefill");
  }
  check_continuations(packed, vocab_size(), state.sequences());
  check_lengths("extend", own->lengths, packed.lengths, config_.max_length);
  const at::Tensor stream = run_layers(packed, own->lengths, own->layers, observer);
  for (std::size_t s = 0; s < packed.lengths.size(); ++s) own->lengths[s] += packed.lengths[s];
  return logits(stream);
}

}  // namespace simba
