// Gradients of gate.h: with g the sum of grad_out over the output rows picked from row l,
//   dy = g silu(z),   dz = g y silu'(z);   0 where no row was picked.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/picked_rows/picked_rows.h"
#include "kernels/views.h"

namespace simba::kernels {

template <typename T>
struct GateBackwardParams {
  std::int64_t batch = 0;     // B
  std::int64_t channels = 0;  // D
  PickedRows picked;          // L source rows, R rows of grad_out
  Rows<const T> y, z;         // (B, L, D)
  Rows<const T> grad_out;     // (B, R, D)
  Rows<T> grad_y, grad_z;     // (B, L, D)
};

// Work items: flat rows of (B, L).
template <typename T>
void gate_backward_cpu(const GateBackwardParams<T>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
