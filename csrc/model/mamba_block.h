// One Mamba-1 layer, cut where pruning needs it: what goes into the scan, the scan, what comes out
// for the tokens that are kept.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "csrc/model/mamba_config.h"
#include "csrc/model/mamba_state.h"
#include "csrc/model/mamba_weights.h"
#include "csrc/model/tokens.h"

namespace simba {

class MambaBlock {
 public:
  MambaBlock(const MambaConfig& config, MambaLayerWeights weights)
      : config_(config), weights_(std::move(weights)) {}

  // Residual addition, norm, in_proj, conv, x_proj, dt_proj. Advances state.conv. By value: what it
  // has read last, it frees.
  SsmInputs project(Tokens tokens, MambaLayerState& state) const;

  // Where a token's gate is taken: in the scan, which rounds once, or of kept tokens alone.
  enum class Gate { kInScan, kAfterScan };

  // The selective scan over all tokens, (1, R, d_inner). Advances state.ssm.
  at::Tensor scan(const SsmInputs& inputs, Gate gate, MambaLayerState& state) const;

  // Gate (where the scan has not done it) and out_proj for the kept tokens alone; the others'
  // outputs are never read.
  Tokens emit(at::Tensor y, const SsmInputs& inputs, const Kept& kept, Gate gate) const;

  // One token of each of S sequences: tokens.hidden and residual (1, S, d_model), nothing else of
  // Tokens is read or written. state.ssm is advanced in place, state.conv in place or replaced.
  Tokens step(const Tokens& tokens, MambaLayerState& state) const;

 private:
  // x and z, (R, d_inner) each.
  std::pair<at::Tensor, at::Tensor> in_proj(const at::Tensor& normed) const;
  bool takes_fused_step(const Tokens& tokens) const;
  Tokens fused_step(const Tokens& tokens, MambaLayerState& state) const;

  MambaConfig config_;
  MambaLayerWeights weights_;
};

}  // namespace simba
