// Models that take turns in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "csrc/model/language_model.h"

namespace simba::eval {

// Holds one loaded model at most.
class ModelSlot {
 public:
  ModelSlot(at::ScalarType dtype, at::Device device) : dtype_(dtype), device_(device) {}

  // Lets the model of another folder go before it loads this one. Throws InputError.
  LanguageModel& get(const std::string& folder);

  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const { return device_; }

 private:
  at::ScalarType dtype_;
  at::Device device_;
  std::string folder_;
  std::unique_ptr<LanguageModel> model_;
};

// A model that is loaded into the slot when it is first to read something. What is known of its
// shape needs no weights.
class SlottedModel final : public LanguageModel {
 public:
  // `shape` and `slot` must outlive the object.
  SlottedModel(const ModelShape& shape, std::string folder, ModelSlot& slot)
      : shape_(shape), folder_(std::move(folder)), slot_(slot) {}

  Prefill prefill(const PackedTokens& tokens, const PruningPlan& plan,
                  Observer* observer) override {
    return slot_.get(folder_).prefill(tokens, plan, observer);
  }
  at::Tensor extend(State& state, const PackedTokens& tokens, Observer* observer) override {
    return slot_.get(folder_).extend(state, tokens, observer);
  }
  at::ScalarType dtype() const override { return slot_.dtype(); }
  at::Device device() const override { return slot_.device(); }

  FlopCount flops(std::int64_t T, const PruningPlan& plan,
                  std::int64_t continuation) const override {
    return shape_.flops(T, plan, continuation);
  }
  std::int64_t n_layer() const override { return shape_.n_layer(); }
  std::int64_t vocab_size() const override { return shape_.vocab_size(); }
  std::int64_t parameters() const override { return shape_.parameters(); }
  std::optional<std::int64_t> max_length() const override { return shape_.max_length(); }
  std::string family() const override { return shape_.family(); }

 private:
  const ModelShape& shape_;
  std::string folder_;
  ModelSlot& slot_;
};

}  // namespace simba::eval
