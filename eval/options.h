// Values of command line options that several commands take. Everything throws InputError naming
// the option, what it expects and what came.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace simba::eval {

// "a,b,c". No empty piece.
std::vector<std::string> split_list(const std::string& option, const std::string& text);

// Far from overflow where counts are added.
constexpr std::int64_t kMostCount = std::int64_t{1} << 40;

// A comma list of different integers, each in [1, kMostCount].
std::vector<std::int64_t> parse_counts(const std::string& option, const std::string& text);

void check_at_least(const std::string& option, std::int64_t value, std::int64_t least);

// In [1, kMostCount].
void check_count(const std::string& option, std::int64_t value);

// float32 | float64 | bfloat16 | float16
at::ScalarType parse_dtype(const std::string& text);
std::string dtype_name(at::ScalarType dtype);

// cpu | cuda | cuda:INDEX; a device that this machine and this LibTorch have.
at::Device parse_device(const std::string& text);

}  // namespace simba::eval
