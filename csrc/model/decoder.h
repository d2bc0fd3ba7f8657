// Some steps of decoding in one call.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "csrc/model/cuda_graph.h"
#include "csrc/model/mamba_state.h"
#include "csrc/model/sampling.h"
#include "csrc/model/simba.h"

namespace simba {

// One token after the other for a fixed number of sequences: embedding, layers, logits and choice,
// `steps` times in one call. On a GPU a call is one CUDA graph; ids never leave the device.
class Decoder {
 public:
  // steps: tokens of one call. capture: null runs every call as it is.
  Decoder(const Simba& model, std::int64_t sequences, const Sampling& sampling, std::int64_t steps,
          const Capture& capture);

  // Starts from copies of the state's layers and the first ids (S) int64.
  void start(const std::vector<MambaLayerState>& layers, const at::Tensor& ids);
  // uniforms (steps, S) float64 on the host. Returns the chosen ids (steps, S) on the device, which
  // the next call overwrites. Does not wait for the device.
  const at::Tensor& advance(const at::Tensor& uniforms);

  std::int64_t steps() const { return steps_; }
  bool serves(std::int64_t sequences, const Sampling& sampling) const;

 private:
  void run();

  const Simba& model_;
  Sampling sampling_;
  std::int64_t steps_;
  std::vector<MambaLayerState> layers_;
  at::Tensor ids_, uniforms_, chosen_;
  std::function<void()> replay_;
};

}  // namespace simba
