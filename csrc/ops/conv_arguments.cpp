#include "csrc/ops/conv_arguments.h"

namespace simba::ops {

ConvShape check_conv_inputs(const Checks& check, const Tensor& x, const Tensor& weight,
                            const OptionalTensor& bias) {
  check.leading("x", x, 3, "(B, L, D)");
  check.rank("weight", weight, 2, "(D, K)");
  const ConvShape shape{x.size(0), x.size(1), x.size(2), weight.size(1)};
  if (shape.width < 1) check.fail("weight", "(D, K) with at least one tap", "K = 0");
  check.parameter("weight", weight, "(D, K)", {shape.channels, shape.width}, "x", x);
  check.parameter("bias", bias, "(D)", {shape.channels}, "x", x);
  return shape;
}

}  // namespace simba::ops
