#include <algorithm>

#include "kernels/picked_rows/picked_rows.h"

namespace simba::kernels {

void link_picked_rows_cpu(const LinkPickedRowsParams& params) {
  std::fill_n(params.heads, params.batch * params.sources, params.rows);
  for (std::int64_t b = 0; b < params.batch; ++b) {
    for (std::int64_t r = params.rows - 1; r >= 0; --r) {
      std::int64_t& head = params.heads[b * params.sources + params.indices[b * params.rows + r]];
      params.followers[b * params.rows + r] = head;
      head = r;
    }
  }
}

}  // namespace simba::kernels
