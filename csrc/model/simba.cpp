#include "csrc/model/simba.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/index_select.h>

#include <numeric>
#include <optional>

#include "csrc/input_error.h"
#include "csrc/model/linear.h"
#include "csrc/model/mamba_flops.h"
#include "csrc/model/operators.h"
#include "csrc/model/packed_layout.h"

namespace simba {
namespace {

void check_tokens(const PackedTokens& tokens, std::int64_t vocab_size) {
  const auto total = std::accumulate(tokens.lengths.begin(), tokens.lengths.end(), std::int64_t{0});
  if (total != static_cast<std::int64_t>(tokens.ids.size())) {
    throw InputError("tokens: lengths sum to " + std::to_string(total) + ", got " +
                     std::to_string(tokens.ids.size()) + " ids");
  }
  for (const std::int64_t id : tokens.ids) {
    if (id < 0 || id >= vocab_size) {
      throw InputError("tokens: expected ids in [0, " + std::to_string(vocab_size) +
                       "), the model's rows, got " + std::to_string(id));
    }
  }
}

// Passes run below autograd, not just without it: in a Python process the operators' autograd is
// Python, and would take the GIL at every call.
using PassGuard = at::AutoDispatchBelowAutograd;

// The last token of every sequence, without touching the activations: only rows are renamed.
Tokens last_of_each(const Tokens& tokens) {
  const at::Tensor rows = make_index(last_tokens(tokens.lengths), tokens.hidden.device());
  if (rows.numel() == tokens.count()) return tokens;
  Tokens last;
  last.hidden = tokens.hidden.index_select(1, rows);
  last.residual = tokens.residual;
  last.residual_rows = tokens.residual_rows.defined() ? tokens.residual_rows.index_select(1, rows)
                                                      : rows.unsqueeze(0);
  last.lengths.assign(rows.numel(), 1);
  last.cu_seqlens = make_cu_seqlens(last.lengths, rows.device());
  last.positions = tokens.positions.index_select(0, rows);
  return last;
}

}  // namespace

Simba::Simba(MambaConfig config, MambaWeights weights)
    : config_(config), weights_(std::move(weights)) {
  for (const MambaLayerWeights& layer : weights_.layers) layers_.emplace_back(config_, layer);
}

Tokens Simba::embed(const PackedTokens& packed,
                    const std::vector<std::int64_t>& first_positions) const {
  const at::Device device = this->device();
  std::vector<std::int64_t> positions;
  positions.reserve(packed.ids.size());
  for (std::size_t s = 0; s < packed.lengths.size(); ++s) {
    for (std::int64_t i = 0; i < packed.lengths[s]; ++i)
      positions.push_back(first_positions[s] + i);
  }
  Tokens tokens;
  tokens.hidden = at::embedding(weights_.embedding, make_index(packed.ids, device)).unsqueeze(0);
  tokens.cu_seqlens = make_cu_seqlens(packed.lengths, device);
  tokens.lengths = packed.lengths;
  tokens.positions = make_index(positions, device);
  return tokens;
}

Tokens Simba::run_layers(Tokens tokens, const PruningPlan& plan,
                         std::vector<MambaLayerState>& state, Observer* observer) const {
  const std::vector<std::int64_t> original_lengths = tokens.lengths;
  for (std::int64_t l = 0; l < config_.n_layer; ++l) {
    const MambaBlock& layer = layers_[l];
    const SsmInputs inputs = layer.project(tokens, state[l]);
    const Kept kept = plan.select(inputs, l, config_.n_layer, original_lengths);
    const at::Tensor y = layer.scan(inputs, state[l]);
    tokens = layer.emit(y, inputs, kept);
    if (observer) observer->saw(l, tokens, inputs, kept);
  }
  return tokens;
}

at::Tensor Simba::logits(const Tokens& tokens) const {
  const auto optional = [](const at::Tensor& tensor) {
    return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
  };
  const at::Tensor normed = std::get<0>(
      ops::add_norm(tokens.hidden, optional(tokens.residual), weights_.final_norm_weight,
                    optional(weights_.final_norm_bias), optional(tokens.residual_rows),
                    config_.norm_epsilon, config_.residual_in_fp32));
  const at::Tensor logits = apply_linear(normed.squeeze(0), weights_.lm_head, {});
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

Prefill Simba::prefill(const PackedTokens& packed, const PruningPlan& plan, Observer* observer) {
  const PassGuard guard;
  check_tokens(packed, vocab_size());
  for (const std::int64_t length : packed.lengths) {
    if (length < 1)
      throw InputError("prefill: expected contexts of at least 1 token, got an empty one");
  }
  std::vector<MambaLayerState> state(static_cast<std::size_t>(config_.n_layer));
  const std::vector<std::int64_t> from_start(packed.lengths.size(), 0);
  const Tokens top = run_layers(embed(packed, from_start), plan, state, observer);
  at::Tensor last_logits = logits(last_of_each(top));
  return {std::make_unique<MambaState>(std::move(state), packed.lengths, plan.name()),
          std::move(last_logits)};
}

at::Tensor Simba::extend(State& state, const PackedTokens& packed, Observer* observer) {
  const PassGuard guard;
  check_tokens(packed, vocab_size());
  auto* mamba = dynamic_cast<MambaState*>(&state);
  if (!mamba || static_cast<std::int64_t>(mamba->layers.size()) != config_.n_layer) {
    throw InputError("extend: expected a state made by this model's prefill");
  }
  if (packed.sequences() != state.sequences()) {
    throw InputError("extend: expected tokens for the state's " +
                     std::to_string(state.sequences()) + " sequences, got " +
                     std::to_string(packed.sequences()));
  }
  const Tokens top =
      run_layers(embed(packed, mamba->lengths), PruningPlan::dense(), mamba->layers, observer);
  for (std::size_t s = 0; s < packed.lengths.size(); ++s) mamba->lengths[s] += packed.lengths[s];
  return logits(top);
}

FlopCount Simba::flops(std::int64_t T, const PruningPlan& plan, std::int64_t continuation) const {
  return mamba_flops(config_, T, plan, continuation);
}

}  // namespace simba
