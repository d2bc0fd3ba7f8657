// What a Mamba remembers of S sequences: per layer the SSM state and the newest conv inputs.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "csrc/model/language_model.h"

namespace simba {

struct MambaLayerState {
  at::Tensor ssm;   // (S, d_inner, N) float32 (float64 in a float64 model); undefined: zeros
  at::Tensor conv;  // (S, d_inner, d_conv - 1) in the model's type, oldest first; undefined: zeros
};

class MambaState final : public State {
 public:
  MambaState(std::vector<MambaLayerState> layers, std::vector<std::int64_t> lengths,
             std::string plan)
      : layers(std::move(layers)), lengths(std::move(lengths)), plan_(std::move(plan)) {}

  std::unique_ptr<State> index(const std::vector<std::int64_t>& ids) const override;
  std::int64_t sequences() const override { return static_cast<std::int64_t>(lengths.size()); }
  const std::string& plan() const override { return plan_; }

  std::vector<MambaLayerState> layers;
  std::vector<std::int64_t> lengths;  // (S) tokens read so far, pruned ones included

 private:
  std::string plan_;
};

}  // namespace simba
