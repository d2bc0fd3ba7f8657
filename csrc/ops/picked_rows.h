// The inverse of an operator's row indices, for its gradients.
#pragma once

#include "csrc/ops/checks.h"
#include "kernels/picked_rows/picked_rows.h"

namespace simba::ops {

// Owns the links that `picked` points to.
struct PickedRowsTensors {
  kernels::PickedRows picked;
  OptionalTensor heads, followers;
};

// Of indices (B, R) into `sources` rows, checked before; absent: all rows, in their order. On
// the device of `lead`.
PickedRowsTensors link_picked_rows(const Checks& check, const OptionalTensor& indices,
                                   std::int64_t batch, std::int64_t sources, const Tensor& lead);

}  // namespace simba::ops
