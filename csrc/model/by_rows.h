// Element-wise functions of ATen, whose results must not depend on the other rows.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>

namespace simba {

// in_place(part) on x (R, C), row by row on a CPU: ATen's vector code and the scalar code of what
// is left over at a range's end round differently, and ranges depend on the number of elements and
// of threads. A row is one range.
template <typename InPlace>
void by_rows(const at::Tensor& x, const InPlace& in_place) {
  if (!x.is_cpu()) return in_place(x);
  at::parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    const at::AutoDispatchBelowAutograd guard;
    for (std::int64_t row = begin; row < end; ++row) in_place(x.select(0, row));
  });
}

}  // namespace simba
