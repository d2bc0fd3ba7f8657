// How many tokens each layer sees (Simba, arXiv 2505.20698: the linear schedule; `constant` and
// `steps` beside it). The one place where a retention becomes a count, in exact integers from the
// decimal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace simba {

// An exact decimal fraction in (0, 1], e.g. 0.1 = 1 / 10.
struct Retention {
  std::int64_t numerator = 1;
  std::int64_t denominator = 1;

  // Parses "1", "0.5", ".1", "0.123456789" (at most 9 decimals). Throws InputError outside (0, 1].
  static Retention parse(std::string_view text);
  // The multiple of 1e-9 nearest to value: for solvers.
  static Retention nearest(double value);

  double value() const { return static_cast<double>(numerator) / static_cast<double>(denominator); }
  std::string text() const;  // shortest decimal, e.g. "0.1"
  bool is_one() const { return numerator == denominator; }
  std::int64_t ceil_of(std::int64_t tokens) const;  // ceil(tokens * retention), exact
};

// linear:   the input of layer l of L (from 0) holds ceil(T (1 - (1 - r) l / (L - 1))) tokens
// constant: ceil(T r) tokens from layer 1 up
// steps:    "steps:12=0.5,18=0.25": from the input of layer 12 up ceil(T 0.5) tokens, ... (r is not
// used) Layer 0 always sees all T; a sequence of T >= 1 tokens never goes below 1; L = 1 keeps all.
class Schedule {
 public:
  // Throws InputError naming the text and what is accepted.
  static Schedule parse(std::string_view text);

  // Tokens at the input of each of n_layer layers, for a context of T tokens. Never increasing.
  // Throws InputError where a step names a layer outside [1, n_layer).
  std::vector<std::int64_t> tokens_per_layer(std::int64_t T, std::int64_t n_layer,
                                             const Retention& retention) const;
  bool uses_retention() const;
  const std::string& text() const { return text_; }

 private:
  enum class Kind { kLinear, kConstant, kSteps };
  struct Step {
    std::int64_t layer;
    Retention fraction;
  };

  Kind kind_ = Kind::kLinear;
  std::vector<Step> steps_;
  std::string text_ = "linear";
};

}  // namespace simba
