#include "csrc/model/mamba_state.h"

#include <ATen/ops/index_select.h>

#include "csrc/input_error.h"
#include "csrc/model/packed_layout.h"

namespace simba {

std::unique_ptr<State> MambaState::index(const std::vector<std::int64_t>& ids) const {
  std::vector<std::int64_t> picked_lengths;
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= sequences()) {
      throw InputError("State::index: expected ids in [0, " + std::to_string(sequences()) +
                       "), got " + std::to_string(id));
    }
    picked_lengths.push_back(lengths[id]);
  }
  std::vector<MambaLayerState> picked;
  for (const MambaLayerState& layer : layers) {
    const at::Tensor rows = make_index(ids, layer.ssm.device());
    picked.push_back({layer.ssm.index_select(0, rows), layer.conv.index_select(0, rows)});
  }
  return std::make_unique<MambaState>(std::move(picked), std::move(picked_lengths), plan_);
}

}  // namespace simba
