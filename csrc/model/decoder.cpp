#include "csrc/model/decoder.h"

#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/zeros.h>

#include <utility>

namespace simba {

Decoder::Decoder(const Simba& model, std::int64_t sequences, const Sampling& sampling,
                 std::int64_t steps, const Capture& capture)
    : model_(model), sampling_(sampling), steps_(steps) {
  const auto here = at::TensorOptions(model.device());
  ids_ = at::zeros({sequences}, here.dtype(at::kLong));
  uniforms_ = at::zeros({steps, sequences}, here.dtype(at::kDouble));
  chosen_ = at::zeros({steps, sequences}, here.dtype(at::kLong));
  layers_ = model.empty_state(sequences);
  if (capture) replay_ = capture(model.device(), [this] { run(); });
}

void Decoder::run() {
  std::vector<at::Tensor> places;
  for (const MambaLayerState& layer : layers_) places.push_back(layer.conv);
  for (std::int64_t i = 0; i < steps_; ++i) {
    const at::Tensor logits = model_.step(ids_, layers_);
    ids_.copy_(choose_tokens(logits, sampling_, uniforms_[i]));
    chosen_[i].copy_(ids_);
  }
  // The next replay of a graph reads the states where this one did.
  std::vector<at::Tensor> newest, moved;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    if (layers_[l].conv.is_same(places[l])) continue;
    newest.push_back(std::exchange(layers_[l].conv, places[l]));
    moved.push_back(places[l]);
  }
  if (!moved.empty()) at::_foreach_copy_(moved, newest);
}

void Decoder::start(const std::vector<MambaLayerState>& layers, const at::Tensor& ids) {
  for (std::size_t l = 0; l < layers.size(); ++l) {
    layers_[l].ssm.copy_(layers[l].ssm);
    layers_[l].conv.copy_(layers[l].conv);
  }
  ids_.copy_(ids);
}

const at::Tensor& Decoder::advance(const at::Tensor& uniforms) {
  uniforms_.copy_(uniforms, /*non_blocking=*/true);
  replay_ ? replay_() : run();
  return chosen_;
}

bool Decoder::serves(std::int64_t sequences, const Sampling& sampling) const {
  // A seed is only in the numbers it is given.
  return ids_.size(0) == sequences && sampling.temperature == sampling_.temperature &&
         sampling.top_k == sampling_.top_k && sampling.top_p == sampling_.top_p;
}

}  // namespace simba
