#include "eval/commands/perplexity_request.h"

#include <utility>

#include "eval/commands/method_grid.h"
#include "eval/options.h"

namespace simba::eval {

PerplexityRequest check_options(const PerplexityOptions& options) {
  check_count("--score", options.score);
  check_at_least("--batch", options.batch, 1);
  MethodGrid grid = method_grid(options.methods);
  std::vector<Method> methods = expand_methods(grid);
  return {parse_counts("--context", options.context), std::move(grid), std::move(methods),
          parse_dtype(options.dtype), parse_device(options.device)};
}

}  // namespace simba::eval
