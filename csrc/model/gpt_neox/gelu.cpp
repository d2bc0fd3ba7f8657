#include "csrc/model/gpt_neox/gelu.h"

#include <ATen/ops/gelu.h>

#include "csrc/model/by_rows.h"

namespace simba {

void apply_gelu(const at::Tensor& x, bool tanh) {
  const char* approximate = tanh ? "tanh" : "none";
  by_rows(x, [approximate](at::Tensor part) { at::gelu_(part, approximate); });
}

}  // namespace simba
