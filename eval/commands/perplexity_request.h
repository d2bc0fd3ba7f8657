// What the command line of `simba-eval perplexity` asks for.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "eval/arguments/perplexity_options.h"
#include "eval/methods.h"

namespace simba::eval {

// What can be made of it before any file is opened.
struct PerplexityRequest {
  std::vector<std::int64_t> contexts;
  MethodGrid grid;
  std::vector<Method> methods;
  at::ScalarType dtype;
  at::Device device;
};

// Throws InputError naming the first option that is wrong.
PerplexityRequest check_options(const PerplexityOptions& options);

}  // namespace simba::eval
