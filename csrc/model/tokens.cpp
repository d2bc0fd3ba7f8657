#include "csrc/model/tokens.h"

#include <ATen/ops/add.h>
#include <ATen/ops/index_select.h>

namespace simba {

at::Tensor Tokens::activations() const {
  const at::Tensor own = hidden.squeeze(0);
  if (!residual.defined()) return own;
  at::Tensor rows = residual.squeeze(0);
  if (residual_rows.defined()) rows = rows.index_select(0, residual_rows.view(-1));
  return at::add(own, rows);
}

}  // namespace simba
