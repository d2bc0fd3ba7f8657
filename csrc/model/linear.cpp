#include "csrc/model/linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include "csrc/model/operators.h"

namespace simba {
namespace {

constexpr std::int64_t kPanelRows = 16;

// Longer inner dimensions round differently for different row counts; these never do where MKL uses
// AVX-512 (measured on 1, 2 and 16 threads), elsewhere only with MKL_CBWR=AUTO,STRICT.
std::int64_t inner_block(at::ScalarType dtype) { return dtype == at::kDouble ? 128 : 512; }

bool has_batch_dependent_rounding(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

// out = x weight^T; the number of rows is a multiple of kPanelRows.
void multiply_panels(at::Tensor out, const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t inner = x.size(1);
  const std::int64_t block = inner_block(x.scalar_type());
  for (std::int64_t k = 0; k < inner; k += block) {
    const std::int64_t length = std::min(block, inner - k);
    const at::Tensor x_block = x.narrow(1, k, length);
    const at::Tensor weight_block = weight.narrow(1, k, length).t();
    if (k == 0) {
      at::mm_out(out, x_block, weight_block);
    } else {
      at::addmm_out(out, out, x_block, weight_block);
    }
  }
}

}  // namespace

at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (ops::takes_few_rows(x) && !bias.defined()) return ops::gemv(x, weight);
  if (!has_batch_dependent_rounding(x)) {
    return at::linear(x, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
  }
  const std::int64_t rows = x.size(0);
  at::Tensor out = at::empty({rows, weight.size(0)}, x.options());
  const std::int64_t whole = rows - rows % kPanelRows;
  if (whole > 0) multiply_panels(out.narrow(0, 0, whole), x.narrow(0, 0, whole), weight);
  if (const std::int64_t rest = rows - whole; rest > 0) {
    const at::Tensor padded =
        at::constant_pad_nd(x.narrow(0, whole, rest), {0, 0, 0, kPanelRows - rest});
    const at::Tensor panel = at::empty({kPanelRows, weight.size(0)}, x.options());
    multiply_panels(panel, padded, weight);
    out.narrow(0, whole, rest).copy_(panel.narrow(0, 0, rest));
  }
  if (bias.defined()) out.add_(bias);
  return out;
}

}  // namespace simba
