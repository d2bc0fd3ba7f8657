// Compiled once per CpuTarget. Lanes are channels of a row.
#include <utility>

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

// What one row is made of; next_y and next_z are the rows that come after it.
template <typename T>
struct GateRow {
  const T *y, *z, *next_y, *next_z;
  T* out;
};

// kCount vectors from channel i on. silu is a long chain of operations: several at once hide it.
// Rows are too short for the processor to run ahead in them.
template <int kCount, typename T>
HWY_INLINE void gate_vectors(const GateRow<T>& row, std::int64_t i, std::int64_t channels) {
  using Acc = AccumulateType<T>;
  Vec<Acc> gated[kCount];
#pragma GCC unroll 4
  for (int j = 0; j < kCount; ++j) {
    const std::int64_t at = i + j * kLanes<Acc>;
    hwy::Prefetch(row.next_y + at);
    hwy::Prefetch(row.next_z + at);
    gated[j] = Silu<Acc>(load_lanes<Acc>(row.z + at, channels - at));
  }
#pragma GCC unroll 4
  for (int j = 0; j < kCount; ++j) {
    const std::int64_t at = i + j * kLanes<Acc>, count = channels - at;
    store_lanes<Acc>(hn::Mul(load_lanes<Acc>(row.y + at, count), gated[j]), row.out + at, count);
  }
}

}  // namespace HWY_NAMESPACE

template <CpuTarget target, typename T>
void gate_target(const GateParams<T>& params, std::int64_t begin, std::int64_t end) {
  using namespace HWY_NAMESPACE;
  constexpr int kTogether = 4;
  constexpr std::int64_t kStep = kLanes<AccumulateType<T>>;
  // y, z of a flat row of (B, R).
  const auto rows_of = [&](std::int64_t flat) {
    const std::int64_t b = flat / params.rows;
    const std::int64_t from = params.indices ? params.indices[flat] : flat % params.rows;
    return std::pair(params.y.row(b, from), params.z.row(b, from));
  };
  for (std::int64_t flat = begin; flat < end; ++flat) {
    const auto [y, z] = rows_of(flat);
    const auto [next_y, next_z] = rows_of(flat + 1 < end ? flat + 1 : flat);
    T* out = params.out.row(flat / params.rows, flat % params.rows);
    const GateRow<T> row{y, z, next_y, next_z, out};
    std::int64_t i = 0;
    for (; i + kTogether * kStep <= params.channels; i += kTogether * kStep) {
      gate_vectors<kTogether>(row, i, params.channels);
    }
    for (; i < params.channels; i += kStep) gate_vectors<1>(row, i, params.channels);
  }
}

template void gate_target<CpuTarget::SIMBA_CPU_TARGET, float>(const GateParams<float>&,
                                                              std::int64_t, std::int64_t);
template void gate_target<CpuTarget::SIMBA_CPU_TARGET, double>(const GateParams<double>&,
                                                               std::int64_t, std::int64_t);
template void gate_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16>(const GateParams<BFloat16>&,
                                                                 std::int64_t, std::int64_t);
template void gate_target<CpuTarget::SIMBA_CPU_TARGET, Float16>(const GateParams<Float16>&,
                                                                std::int64_t, std::int64_t);

}  // namespace simba::kernels
