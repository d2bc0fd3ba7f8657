#include "csrc/ops/picked_rows.h"

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/picked_rows/picked_rows_cuda.h"
#endif

namespace simba::ops {

PickedRowsTensors link_picked_rows(const Checks& check, const OptionalTensor& indices,
                                   std::int64_t batch, std::int64_t sources, const Tensor& lead) {
  if (!indices)
    return {.picked = {.sources = sources, .rows = sources}, .heads = {}, .followers = {}};
  const std::int64_t rows = indices->size(1);
  const Tensor heads = empty({batch, sources}, ScalarType::Long, lead);
  const Tensor followers = empty({batch, rows}, ScalarType::Long, lead);
  const kernels::LinkPickedRowsParams params{
      .batch = batch,
      .sources = sources,
      .rows = rows,
      .indices = data<std::int64_t>(*indices),
      .heads = mutable_data<std::int64_t>(heads),
      .followers = mutable_data<std::int64_t>(followers),
  };
  launch(
      check, lead, [&] { kernels::link_picked_rows_cpu(params); },
      [&](auto stream) { return link_picked_rows_cuda(params, stream); });
  return {.picked = {.sources = sources,
                     .rows = rows,
                     .heads = params.heads,
                     .followers = params.followers},
          .heads = heads,
          .followers = followers};
}

}  // namespace simba::ops
