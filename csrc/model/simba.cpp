#include "csrc/model/simba.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>

#include <optional>

#include "csrc/input_error.h"
#include "csrc/model/linear.h"
#include "csrc/model/mamba_flops.h"
#include "csrc/model/operators.h"
#include "csrc/model/packed_layout.h"
#include "csrc/model/pass_memory.h"
#include "csrc/model/token_checks.h"

namespace simba {
namespace {

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
  if (tokens.positions.defined()) last.positions = tokens.positions.index_select(0, rows);
  return last;
}

}  // namespace

Simba::Simba(MambaConfig config, MambaWeights weights)
    : config_(config), weights_(std::move(weights)) {
  for (const MambaLayerWeights& layer : weights_.layers) layers_.emplace_back(config_, layer);
}

Tokens Simba::embed(const at::Tensor& ids, const std::vector<std::int64_t>& lengths) const {
  Tokens tokens;
  tokens.hidden = at::embedding(weights_.embedding, ids).unsqueeze(0);
  tokens.cu_seqlens = make_cu_seqlens(lengths, device());
  tokens.lengths = lengths;
  return tokens;
}

Tokens Simba::run_layers(Tokens tokens, const PruningPlan& plan,
                         std::vector<MambaLayerState>& state, Observer* observer) const {
  const std::size_t row_bytes = tokens.count() * config_.d_inner * elementSize(dtype());
  const std::size_t state_bytes =
      tokens.lengths.size() * config_.d_inner * config_.d_state * elementSize(state_dtype());
  const PassMemory memory(device(), row_bytes, state_bytes);
  // By the plan, not by whether a layer drops any: a short context's numbers must not depend on the
  // longer ones beside it, of which the layer drops some.
  const auto gate = plan.is_dense() ? MambaBlock::Gate::kInScan : MambaBlock::Gate::kAfterScan;
  const std::vector<std::int64_t> original_lengths = tokens.lengths;
  for (std::int64_t l = 0; l < config_.n_layer; ++l) {
    const MambaBlock& layer = layers_[l];
    const SsmInputs inputs = layer.project(std::move(tokens), state[l]);
    const Kept kept = plan.select(inputs, l, config_.n_layer, original_lengths);
    at::Tensor y = layer.scan(inputs, gate, state[l]);
    tokens = layer.emit(std::move(y), inputs, kept, gate);
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

PrefillGraphs::Outputs Simba::read(const at::Tensor& ids, const std::vector<std::int64_t>& lengths,
                                   const PruningPlan& plan, Observer* observer) const {
  std::vector<MambaLayerState> state(static_cast<std::size_t>(config_.n_layer));
  Tokens tokens = embed(ids, lengths);
  if (observer) {
    tokens.positions =
        make_positions(std::vector<std::int64_t>(lengths.size(), 0), lengths, device());
  }
  const Tokens top = run_layers(std::move(tokens), plan, state, observer);
  at::Tensor last_logits = logits(last_of_each(top));
  return {std::move(state), std::move(last_logits)};
}

Prefill Simba::prefill(const PackedTokens& packed, const PruningPlan& plan, Observer* observer) {
  const PassGuard guard;
  check_contexts(packed, vocab_size());
  const std::optional<std::string> key = plan.key();
  PrefillGraphs::Outputs outputs;
  if (graphs_ && !observer && key) {
    outputs = graphs_->run(packed, *key, device(),
                           [this, lengths = packed.lengths, plan](const at::Tensor& ids) {
                             return read(ids, lengths, plan, nullptr);
                           });
  } else {
    outputs = read(make_index(packed.ids, device()), packed.lengths, plan, observer);
  }
  return {std::make_unique<MambaState>(std::move(outputs.layers), packed.lengths, plan.name()),
          std::move(outputs.last_logits)};
}

at::Tensor Simba::extend(State& state, const PackedTokens& packed, Observer* observer) {
  const PassGuard guard;
  auto* mamba = dynamic_cast<MambaState*>(&state);
  if (!mamba || static_cast<std::int64_t>(mamba->layers.size()) != config_.n_layer) {
    throw InputError("extend: expected a state made by this model's prefill");
  }
  check_continuations(packed, vocab_size(), state.sequences());
  Tokens tokens = embed(make_index(packed.ids, device()), packed.lengths);
  if (observer) tokens.positions = make_positions(mamba->lengths, packed.lengths, device());
  const Tokens top = run_layers(std::move(tokens), PruningPlan::dense(), mamba->layers, observer);
  for (std::size_t s = 0; s < packed.lengths.size(); ++s) mamba->lengths[s] += packed.lengths[s];
  return logits(top);
}

at::Tensor Simba::step(const at::Tensor& ids, std::vector<MambaLayerState>& state) const {
  const PassGuard guard;
  Tokens tokens;
  tokens.hidden = at::embedding(weights_.embedding, ids).unsqueeze(0);
  for (std::int64_t l = 0; l < config_.n_layer; ++l) {
    tokens = layers_[l].step(tokens, state[l]);
  }
  return logits(tokens);
}

std::vector<MambaLayerState> Simba::empty_state(std::int64_t sequences) const {
  std::vector<MambaLayerState> layers;
  for (std::int64_t l = 0; l < config_.n_layer; ++l) {
    layers.push_back({at::zeros({sequences, config_.d_inner, config_.d_state},
                                at::TensorOptions(device()).dtype(state_dtype())),
                      at::zeros({sequences, config_.d_inner, config_.d_conv - 1},
                                at::TensorOptions(device()).dtype(dtype()))});
  }
  return layers;
}

FlopCount Simba::flops(std::int64_t T, const PruningPlan& plan, std::int64_t continuation) const {
  return mamba_flops(config_, T, plan, continuation);
}

}  // namespace simba
