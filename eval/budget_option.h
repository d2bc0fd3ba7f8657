// Budgets as people write them: a share of the dense model's FLOPs, or a number of FLOPs.
#pragma once

#include <string>
#include <vector>

namespace simba::eval {

struct Budget {
  std::string text;  // as written
  double value;      // in (0, 1] of dense, or FLOPs of the whole run
  bool of_dense;

  double flops(double dense_total) const { return of_dense ? value * dense_total : value; }
};

// "0.6": of dense; "12.3GFLOP": FLOPs, with FLOP, MFLOP, GFLOP, TFLOP or PFLOP behind a decimal
// number. A comma list of different ones. Throws InputError naming the option.
std::vector<Budget> parse_budgets(const std::string& option, const std::string& text);

}  // namespace simba::eval
