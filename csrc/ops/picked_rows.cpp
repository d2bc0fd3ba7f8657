#include "csrc/ops/picked_rows.h"

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/picked_rows/picked_rows_cuda.h"
#endif

namespace simba::ops {
namespace {

// A template in all it names: a build without CUDA never looks the launcher up.
template <typename Index, typename Stream>
auto link_cuda(const Index* indices, std::int64_t batch, std::int64_t sources, std::int64_t rows,
               Index* heads, Index* followers, Stream stream) {
  return link_picked_rows_cuda(indices, batch, sources, rows, heads, followers, stream);
}

}  // namespace

PickedRowsTensors link_picked_rows(const Checks& check, const OptionalTensor& indices,
                                   std::int64_t batch, std::int64_t sources, const Tensor& lead) {
  if (!indices)
    return {.picked = {.sources = sources, .rows = sources}, .heads = {}, .followers = {}};
  const std::int64_t rows = indices->size(1);
  const Tensor heads = empty({batch, sources}, ScalarType::Long, lead);
  const Tensor followers = empty({batch, rows}, ScalarType::Long, lead);
  const auto* from = data<std::int64_t>(*indices);
  auto* to_heads = mutable_data<std::int64_t>(heads);
  auto* to_followers = mutable_data<std::int64_t>(followers);
  launch(
      check, lead,
      [&] { kernels::link_picked_rows_cpu(from, batch, sources, rows, to_heads, to_followers); },
      [&](auto stream) {
        return link_cuda(from, batch, sources, rows, to_heads, to_followers, stream);
      });
  return {
      .picked = {.sources = sources, .rows = rows, .heads = to_heads, .followers = to_followers},
      .heads = heads,
      .followers = followers};
}

}  // namespace simba::ops
