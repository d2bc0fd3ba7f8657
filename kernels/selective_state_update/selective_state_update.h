// One step of the selective scan (decoding), the state updated in place, per sequence s:
//   h <- exp(dt A) h + dt B u,   out = (C . h + D u) * silu(z)     (dt, D and z as in
//   selective_scan.h)
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

template <typename T>
struct SelectiveStateUpdateParams {
  using Acc = AccumulateType<T>;

  std::int64_t sequences = 0;  // S
  std::int64_t channels = 0;   // D
  std::int64_t states = 0;     // N
  Acc* state = nullptr;        // (S, D, N) with the strides below, N contiguous; updated in place
  std::int64_t state_sequence_stride = 0;
  std::int64_t state_channel_stride = 0;
  Rows<const T> u, delta;           // (S, D) as rows: batch_stride is the stride between sequences
  Rows<const T> z;                  // optional
  Rows<const T> B, C;               // (S, N)
  Rows<T> out;                      // (S, D)
  const Acc* A = nullptr;           // (D, N) contiguous
  const Acc* D = nullptr;           // (D), optional
  const Acc* delta_bias = nullptr;  // (D), optional
  bool delta_softplus = false;
};

// Work items: (sequence, block of channels).
template <typename T>
std::int64_t selective_state_update_work_items(const SelectiveStateUpdateParams<T>& params);
template <typename T>
void selective_state_update_cpu(const SelectiveStateUpdateParams<T>& params, std::int64_t begin,
                                std::int64_t end);

}  // namespace simba::kernels
