// What a GPT-NeoX model remembers of S sequences: every token's keys and values, layer by layer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "csrc/model/gpt_neox/attention.h"
#include "csrc/model/language_model.h"

namespace simba {

class GptNeoXState final : public State {
 public:
  GptNeoXState(std::vector<KeysAndValues> layers, std::vector<std::int64_t> lengths,
               std::string plan)
      : layers(std::move(layers)), lengths(std::move(lengths)), plan_(std::move(plan)) {}

  std::unique_ptr<State> index(const std::vector<std::int64_t>& ids) const override;
  std::int64_t sequences() const override { return static_cast<std::int64_t>(lengths.size()); }
  const std::string& plan() const override { return plan_; }

  std::vector<KeysAndValues> layers;
  std::vector<std::int64_t> lengths;  // (S) tokens read so far

 private:
  std::string plan_;
};

}  // namespace simba
