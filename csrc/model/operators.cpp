#include "csrc/model/operators.h"

#include <ATen/core/dispatch/Dispatcher.h>

// Defined by libsimba_ops. Referring to it keeps the linker from dropping the library, whose
// operators are reached through the dispatcher alone.
extern "C" int simba_ops_anchor() noexcept;

namespace simba::ops {
namespace {

[[maybe_unused]] const volatile int kKeepOperators = simba_ops_anchor();

template <typename Signature>
auto find_operator(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> selective_scan(
    const at::Tensor& u, const at::Tensor& delta, const at::Tensor& A, const at::Tensor& B,
    const at::Tensor& C, const OptionalTensor& D, const OptionalTensor& z,
    const OptionalTensor& delta_bias, const OptionalTensor& initial_state,
    const OptionalTensor& cu_seqlens, bool delta_softplus) {
  static const auto op = find_operator<decltype(selective_scan)>("simba::selective_scan");
  return op.call(u, delta, A, B, C, D, z, delta_bias, initial_state, cu_seqlens, delta_softplus);
}

at::Tensor influence_scores(const at::Tensor& u, const at::Tensor& delta, const at::Tensor& A,
                            const at::Tensor& B, const at::Tensor& C,
                            const OptionalTensor& delta_bias, const OptionalTensor& cu_seqlens,
                            std::string_view decay, std::string_view reduction) {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                               const at::Tensor&, const at::Tensor&, const OptionalTensor&,
                               const OptionalTensor&, std::string_view, std::string_view);
  static const auto op = find_operator<Signature>("simba::influence_scores");
  return op.call(u, delta, A, B, C, delta_bias, cu_seqlens, decay, reduction);
}

std::tuple<at::Tensor, at::Tensor> select_tokens_packed(const at::Tensor& scores,
                                                        const std::vector<std::int64_t>& keep,
                                                        const at::Tensor& cu_seqlens) {
  using Signature =
      std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, c10::SymIntArrayRef, const at::Tensor&);
  static const auto op = find_operator<Signature>("simba::select_tokens", "packed");
  return op.call(scores, c10::fromIntArrayRefSlow(keep), cu_seqlens);
}

std::tuple<at::Tensor, at::Tensor> causal_conv1d(const at::Tensor& x, const at::Tensor& weight,
                                                 const OptionalTensor& bias,
                                                 const OptionalTensor& initial_state,
                                                 const OptionalTensor& cu_seqlens, bool silu) {
  static const auto op = find_operator<decltype(causal_conv1d)>("simba::causal_conv1d");
  return op.call(x, weight, bias, initial_state, cu_seqlens, silu);
}

std::tuple<at::Tensor, at::Tensor> add_norm(const at::Tensor& x, const OptionalTensor& residual,
                                            const at::Tensor& weight, const OptionalTensor& bias,
                                            const OptionalTensor& indices, double eps,
                                            bool residual_in_fp32) {
  static const auto op = find_operator<decltype(add_norm)>("simba::add_norm");
  return op.call(x, residual, weight, bias, indices, eps, residual_in_fp32);
}

at::Tensor gate(const at::Tensor& y, const at::Tensor& z, const OptionalTensor& indices) {
  static const auto op = find_operator<decltype(gate)>("simba::gate");
  return op.call(y, z, indices);
}

at::Tensor selective_state_update(at::Tensor& state, const at::Tensor& u, const at::Tensor& delta,
                                  const at::Tensor& A, const at::Tensor& B, const at::Tensor& C,
                                  const OptionalTensor& D, const OptionalTensor& z,
                                  const OptionalTensor& delta_bias, bool delta_softplus) {
  static const auto op =
      find_operator<decltype(selective_state_update)>("simba::selective_state_update");
  return op.call(state, u, delta, A, B, C, D, z, delta_bias, delta_softplus);
}

bool takes_few_rows(const at::Tensor& x) {
  return x.is_cuda() && x.size(0) <= kFewRows && x.scalar_type() != at::kDouble;
}

at::Tensor gemv(const at::Tensor& x, const at::Tensor& weight) {
  static const auto op = find_operator<decltype(gemv)>("simba::gemv");
  return op.call(x, weight);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> in_proj_step(
    const at::Tensor& hidden, const OptionalTensor& residual, const at::Tensor& norm_weight,
    double eps, const at::Tensor& in_proj, at::Tensor& conv_state, const at::Tensor& conv_weight,
    const OptionalTensor& conv_bias) {
  static const auto op = find_operator<decltype(in_proj_step)>("simba::in_proj_step");
  return op.call(hidden, residual, norm_weight, eps, in_proj, conv_state, conv_weight, conv_bias);
}

at::Tensor ssm_step(at::Tensor& state, const at::Tensor& u, const at::Tensor& dt_B_C,
                    const at::Tensor& dt_proj, const at::Tensor& A, const at::Tensor& D,
                    const at::Tensor& z, const at::Tensor& delta_bias) {
  static const auto op = find_operator<decltype(ssm_step)>("simba::ssm_step");
  return op.call(state, u, dt_B_C, dt_proj, A, D, z, delta_bias);
}

}  // namespace simba::ops
