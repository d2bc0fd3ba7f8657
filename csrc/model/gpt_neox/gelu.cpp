#include "csrc/model/gpt_neox/gelu.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/gelu.h>

namespace simba {

void apply_gelu(const at::Tensor& x, bool tanh) {
  const char* approximate = tanh ? "tanh" : "none";
  const auto gelu = [approximate](at::Tensor part) { at::gelu_(part, approximate); };
  if (!x.is_cpu()) return gelu(x);
  // ATen's vector code and the scalar code of what is left over at a range's end round differently,
  // and ranges depend on the number of elements and of threads. A row is one range.
  at::parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    const at::AutoDispatchBelowAutograd guard;
    for (std::int64_t row = begin; row < end; ++row) gelu(x.select(0, row));
  });
}

}  // namespace simba
