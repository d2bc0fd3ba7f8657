#include "csrc/ops/scan_arguments.h"

namespace simba::ops {

std::int64_t check_states(const Checks& check, const Tensor& A) {
  check.rank("A", A, 2, "(D, N)");
  if (A.size(1) < 1) check.fail("A", "(D, N) with at least one state", "N = 0");
  return A.size(1);
}

ScanShape check_scan_inputs(const Checks& check, const Tensor& u, const Tensor& delta,
                            const Tensor& A, const Tensor& B, const Tensor& C,
                            const OptionalTensor& delta_bias) {
  check.leading("u", u, 3, "(B, L, D)");
  const ScanShape shape{u.size(0), u.size(1), u.size(2), check_states(check, A)};
  const auto [batch, length, channels, states] = shape;
  check.data("delta", delta, "(B, L, D)", {batch, length, channels}, "u", u);
  check.parameter("A", A, "(D, N)", {channels, states}, "u", u);
  check.data("B", B, "(B, L, N)", {batch, length, states}, "u", u);
  check.data("C", C, "(B, L, N)", {batch, length, states}, "u", u);
  check.parameter("delta_bias", delta_bias, "(D)", {channels}, "u", u);
  return shape;
}

}  // namespace simba::ops
