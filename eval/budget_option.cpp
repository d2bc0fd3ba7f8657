#include "eval/budget_option.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "csrc/input_error.h"
#include "eval/options.h"

namespace simba::eval {
namespace {

// Longer names first: each ends in the last one.
constexpr std::array<std::pair<const char*, double>, 5> kUnits = {
    {{"PFLOP", 1e15}, {"TFLOP", 1e12}, {"GFLOP", 1e9}, {"MFLOP", 1e6}, {"FLOP", 1}}};

Budget parse_budget(const std::string& option, const std::string& text) {
  std::string number = text;
  double unit = 0;
  for (const auto& [name, flops] : kUnits) {
    if (!text.ends_with(name)) continue;
    number = text.substr(0, text.size() - std::string(name).size());
    unit = flops;
    break;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const bool is_number = error == std::errc() && end == number.data() + number.size() &&
                         std::isfinite(value) && value > 0;
  const bool of_dense = unit == 0;
  if (!is_number || (of_dense && value > 1)) {
    throw InputError(option +
                     ": expected a share of dense in (0, 1] or a number of FLOPs such as "
                     "12.3GFLOP, got '" +
                     text + "'");
  }
  return {text, of_dense ? value : value * unit, of_dense};
}

}  // namespace

std::vector<Budget> parse_budgets(const std::string& option, const std::string& text) {
  std::vector<Budget> budgets;
  for (const std::string& piece : split_list(option, text)) {
    budgets.push_back(parse_budget(option, piece));
    for (std::size_t i = 0; i + 1 < budgets.size(); ++i) {
      if (budgets[i].text == piece) throw InputError(option + ": " + piece + " is given twice");
    }
  }
  return budgets;
}

}  // namespace simba::eval
