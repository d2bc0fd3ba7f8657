#include "csrc/model/gpt_neox/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sin.h>

#include "csrc/model/vector_math.h"

namespace simba {

RotaryEmbedding::RotaryEmbedding(const GptNeoXConfig& config, at::ScalarType dtype,
                                 at::Device device) {
  // In the steps and the precision that models were trained with: their angles at far positions
  // carry the rounding of float32 frequencies.
  const at::TensorOptions acc(dtype == at::kDouble ? at::kDouble : at::kFloat);
  const at::Tensor exponents =
      at::arange(0, config.rotary_dim, 2, acc).div_(static_cast<double>(config.rotary_dim));
  const at::Tensor frequencies = at::pow(config.rotary_base, exponents).reciprocal_();
  const at::Tensor angles = at::outer(at::arange(config.max_length, acc), frequencies);
  settle_vector_math();
  cos_ = angles.cos().to(device);
  sin_ = angles.sin().to(device);
}

RotaryEmbedding::Turns RotaryEmbedding::at(const at::Tensor& positions) const {
  return {cos_.index_select(0, positions).unsqueeze(1),
          sin_.index_select(0, positions).unsqueeze(1)};
}

at::Tensor RotaryEmbedding::turn(const at::Tensor& x, const Turns& turns) {
  const std::int64_t half = turns.cos.size(2);
  const at::Tensor first = x.narrow(2, 0, half).to(turns.cos.scalar_type());
  const at::Tensor second = x.narrow(2, half, half).to(turns.cos.scalar_type());
  const at::Tensor turned =
      at::cat({first * turns.cos - second * turns.sin, second * turns.cos + first * turns.sin}, 2);
  const at::Tensor rest = x.narrow(2, 2 * half, x.size(2) - 2 * half);
  return at::cat({turned.to(x.scalar_type()), rest}, 2);
}

}  // namespace simba
