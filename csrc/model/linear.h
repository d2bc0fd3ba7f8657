// Matrix products of activations with weights.
#pragma once

#include <ATen/core/Tensor.h>

namespace simba {

// x weight^T + bias: x (R, in) with any row stride, weight (out, in), bias (out) or undefined;
// returns (R, out). In a program that called fix_order_of_sums(), every row of a float32 or float64
// result on the CPU is the same, bit for bit, whatever R is and wherever the row lies.
at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace simba
