#include "csrc/model/gpt_neox/state.h"

#include <ATen/ops/index_select.h>

#include "csrc/input_error.h"
#include "csrc/model/packed_layout.h"

namespace simba {

std::unique_ptr<State> GptNeoXState::index(const std::vector<std::int64_t>& ids) const {
  std::vector<std::int64_t> begins(1, 0);
  for (const std::int64_t length : lengths) begins.push_back(begins.back() + length);
  std::vector<std::int64_t> picked_lengths, picked_rows;
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= sequences()) {
      throw InputError("State::index: expected ids in [0, " + std::to_string(sequences()) +
                       "), got " + std::to_string(id));
    }
    const auto s = static_cast<std::size_t>(id);
    picked_lengths.push_back(lengths[s]);
    for (std::int64_t row = begins[s]; row < begins[s + 1]; ++row) picked_rows.push_back(row);
  }
  const at::Tensor rows = make_index(picked_rows, layers.front().keys.device());
  std::vector<KeysAndValues> picked;
  for (const KeysAndValues& layer : layers) {
    picked.push_back({layer.keys.index_select(0, rows), layer.values.index_select(0, rows)});
  }
  return std::make_unique<GptNeoXState>(std::move(picked), std::move(picked_lengths), plan_);
}

}  // namespace simba
