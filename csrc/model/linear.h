// Matrix products of activations with weights.
#pragma once

#include <ATen/core/Tensor.h>

namespace simba {

// x weight^T + bias: x (R, in) with any row stride, weight (out, in), bias (out) or undefined;
// returns (R, out). On the CPU every row of a float32 or float64 result is the same, bit for bit,
// whatever R is and wherever the row lies: rows are multiplied in panels of a multiple of 16, and
// the inner dimension in blocks short enough that the BLAS never splits them differently for
// different R.
at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace simba
