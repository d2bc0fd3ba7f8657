#include "csrc/model/criterion.h"

#include <algorithm>
#include <array>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/model/criteria/criteria.h"
#include "csrc/model/operators.h"
#include "csrc/model/packed_layout.h"

namespace simba {
namespace {

using Maker = std::shared_ptr<const Criterion> (*)(const CriterionOptions&);

constexpr std::array<std::pair<const char*, Maker>, 6> kCriteria = {{
    {"influence", make_influence},
    {"delta_norm", make_delta_norm},
    {"delta", make_delta},
    {"recent", make_recent},
    {"spaced", make_spaced},
    {"random", make_random},
}};

}  // namespace

std::shared_ptr<const Criterion> make_criterion(const std::string& name,
                                                const CriterionOptions& options) {
  for (const auto& [known, make] : kCriteria) {
    if (name == known) return make(options);
  }
  std::string names;
  for (const std::string& known : criterion_names()) names += (names.empty() ? "" : ", ") + known;
  throw InputError("criterion: expected one of " + names + ", got '" + name + "'");
}

const std::vector<std::string>& criterion_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, make] : kCriteria) all.emplace_back(name);
    return all;
  }();
  return names;
}

Kept keep_highest(const SsmInputs& inputs, const at::Tensor& scores,
                  const std::vector<std::int64_t>& keep) {
  auto [indices, cu_seqlens] = ops::select_tokens_packed(scores, keep, inputs.cu_seqlens);
  return {indices, cu_seqlens, keep, scores};
}

Kept keep_positions(const SsmInputs& inputs, const std::vector<std::int64_t>& chosen,
                    const std::vector<std::int64_t>& keep) {
  const at::Device device = inputs.u.device();
  return {make_index(chosen, device).unsqueeze(0), make_cu_seqlens(keep, device), keep, {}};
}

}  // namespace simba
