#include "tests/cpp/eval/fake_model.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <numeric>

namespace simba::eval {
namespace {

class FakeState final : public State {
 public:
  FakeState(std::vector<double> memory, std::string plan)
      : memory(std::move(memory)), plan_(std::move(plan)) {}

  std::unique_ptr<State> index(const std::vector<std::int64_t>& ids) const override {
    std::vector<double> chosen;
    for (const std::int64_t id : ids) chosen.push_back(memory[static_cast<std::size_t>(id)]);
    return std::make_unique<FakeState>(std::move(chosen), plan_);
  }
  std::int64_t sequences() const override { return static_cast<std::int64_t>(memory.size()); }
  const std::string& plan() const override { return plan_; }

  std::vector<double> memory;

 private:
  std::string plan_;
};

double feature(std::int64_t id, double position) {
  return std::sin(static_cast<double>(7 * id + 3)) + 0.1 * std::cos(position);
}

void write_logits(double memory, float* logits) {
  for (std::int64_t v = 0; v < FakeModel::kVocab; ++v) {
    logits[v] = static_cast<float>(2 * std::sin(memory + 1.3 * static_cast<double>(v)));
  }
}

at::Tensor positions_of(const std::vector<std::int64_t>& lengths) {
  std::vector<at::Tensor> parts;
  for (const std::int64_t length : lengths) parts.push_back(at::arange(length, at::kLong));
  return at::cat(parts);
}

}  // namespace

Prefill FakeModel::prefill(const PackedTokens& tokens, const PruningPlan& plan,
                           Observer* observer) {
  at::Tensor rows = at::arange(static_cast<std::int64_t>(tokens.ids.size()), at::kLong);
  at::Tensor positions = positions_of(tokens.lengths);
  std::vector<std::int64_t> lengths = tokens.lengths;
  std::vector<double> memory(tokens.lengths.size());
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    const std::int64_t* row = rows.const_data_ptr<std::int64_t>();
    const std::int64_t* position = positions.const_data_ptr<std::int64_t>();
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      for (std::int64_t i = 0; i < lengths[s]; ++i, ++row, ++position) {
        memory[s] = 0.999 * memory[s] + feature(tokens.ids[static_cast<std::size_t>(*row)],
                                                static_cast<double>(*position));
      }
    }
    SsmInputs inputs;
    inputs.u = at::zeros({1, rows.size(0), 1});
    inputs.lengths = lengths;
    inputs.positions = positions;
    const Kept kept = plan.select(inputs, layer, kLayers, tokens.lengths);
    if (!kept.all()) {
      rows = rows.index_select(0, kept.indices.flatten());
      positions = positions.index_select(0, kept.indices.flatten());
      lengths = kept.lengths;
    }
    Tokens left;
    left.lengths = lengths;
    left.positions = positions;
    if (observer) observer->saw(layer, left, inputs, kept);
  }
  at::Tensor logits = at::empty({static_cast<std::int64_t>(memory.size()), kVocab});
  for (std::size_t s = 0; s < memory.size(); ++s) {
    write_logits(memory[s], logits.data_ptr<float>() + static_cast<std::int64_t>(s) * kVocab);
  }
  return {std::make_unique<FakeState>(std::move(memory), plan.name()), logits};
}

at::Tensor FakeModel::extend(State& state, const PackedTokens& tokens, Observer*) {
  std::vector<double>& memory = dynamic_cast<FakeState&>(state).memory;
  at::Tensor logits = at::empty({static_cast<std::int64_t>(tokens.ids.size()), kVocab});
  float* out = logits.data_ptr<float>();
  std::size_t at = 0;
  for (std::size_t s = 0; s < tokens.lengths.size(); ++s) {
    for (std::int64_t i = 0; i < tokens.lengths[s]; ++i, ++at, out += kVocab) {
      memory[s] = 0.999 * memory[s] + feature(tokens.ids[at], 0);
      write_logits(memory[s], out);
    }
  }
  return logits;
}

FlopCount FakeModel::flops(std::int64_t T, const PruningPlan& plan,
                           std::int64_t continuation) const {
  const std::vector<std::int64_t> tokens = plan.tokens_per_layer(T, kLayers);
  FlopCount count;
  count.prefill =
      100.0 * static_cast<double>(std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0}));
  count.continuation = 10.0 * static_cast<double>(continuation);
  count.head = static_cast<double>(1 + continuation);
  return count;
}

}  // namespace simba::eval
