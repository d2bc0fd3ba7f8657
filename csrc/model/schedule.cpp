#include "csrc/model/schedule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "csrc/input_error.h"

namespace simba {
namespace {

constexpr std::int64_t kMaxDenominator = 1'000'000'000;

// The products T * denominator * n_layer need more than 64 bits.
__extension__ typedef __int128 Wide;

std::int64_t ceil_div(Wide numerator, Wide denominator) {
  return static_cast<std::int64_t>((numerator + denominator - 1) / denominator);
}

[[noreturn]] void refuse_retention(std::string_view text) {
  throw InputError("retention: expected a decimal in (0, 1] with at most 9 decimals, got '" +
                   std::string(text) + "'");
}

Retention reduced(std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t divisor = std::gcd(numerator, denominator);
  return {numerator / divisor, denominator / divisor};
}

[[noreturn]] void refuse_schedule(std::string_view text) {
  throw InputError("schedule: expected linear, constant or steps:LAYER=FRACTION,... got '" +
                   std::string(text) + "'");
}

}  // namespace

Retention Retention::parse(std::string_view text) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view decimals =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  const auto is_digits = [](std::string_view s) {
    return std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (whole.size() + decimals.size() == 0 || whole.size() > 9 || decimals.size() > 9 ||
      !is_digits(whole) || !is_digits(decimals)) {
    refuse_retention(text);
  }
  std::int64_t numerator = 0;
  std::int64_t denominator = 1;
  for (const char digit : whole) numerator = numerator * 10 + (digit - '0');
  for (const char digit : decimals) {
    numerator = numerator * 10 + (digit - '0');
    denominator *= 10;
  }
  if (numerator < 1 || numerator > denominator) refuse_retention(text);
  return reduced(numerator, denominator);
}

Retention Retention::nearest(double value) {
  const double scaled = std::round(value * static_cast<double>(kMaxDenominator));
  const double clamped = std::clamp(scaled, 1.0, static_cast<double>(kMaxDenominator));
  return reduced(static_cast<std::int64_t>(clamped), kMaxDenominator);
}

std::string Retention::text() const {
  if (is_one()) return "1";
  // Every denominator divides a power of ten, so the long division ends.
  std::string digits = "0.";
  for (std::int64_t rest = numerator; rest != 0;) {
    rest *= 10;
    digits += static_cast<char>('0' + rest / denominator);
    rest %= denominator;
  }
  return digits;
}

std::int64_t Retention::ceil_of(std::int64_t tokens) const {
  return ceil_div(Wide{tokens} * numerator, denominator);
}

Schedule Schedule::parse(std::string_view text) {
  Schedule schedule;
  schedule.text_ = text;
  if (text == "linear") {
    schedule.kind_ = Kind::kLinear;
    return schedule;
  }
  if (text == "constant") {
    schedule.kind_ = Kind::kConstant;
    return schedule;
  }
  constexpr std::string_view kPrefix = "steps:";
  if (!text.starts_with(kPrefix)) refuse_schedule(text);
  schedule.kind_ = Kind::kSteps;
  for (std::string_view rest = text.substr(kPrefix.size());;) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::size_t equals = item.find('=');
    std::int64_t layer = 0;
    const char* layer_end = item.data() + std::min(equals, item.size());
    const auto [parsed_end, error] = std::from_chars(item.data(), layer_end, layer);
    if (equals == std::string_view::npos || error != std::errc() || parsed_end != layer_end) {
      refuse_schedule(text);
    }
    const Retention fraction = Retention::parse(item.substr(equals + 1));
    if (!schedule.steps_.empty()) {
      const Step& previous = schedule.steps_.back();
      if (layer <= previous.layer || fraction.value() > previous.fraction.value()) {
        throw InputError(
            "schedule: expected steps with rising layers and falling fractions, got '" +
            std::string(text) + "'");
      }
    }
    schedule.steps_.push_back({layer, fraction});
    if (comma == std::string_view::npos) break;
    rest = rest.substr(comma + 1);
  }
  return schedule;
}

bool Schedule::uses_retention() const { return kind_ != Kind::kSteps; }

std::vector<std::int64_t> Schedule::tokens_per_layer(std::int64_t T, std::int64_t n_layer,
                                                     const Retention& retention) const {
  if (n_layer < 1) {
    throw InputError("n_layer: expected 1 or more, got " + std::to_string(n_layer));
  }
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(n_layer), T);
  switch (kind_) {
    case Kind::kLinear: {
      const Wide scale = Wide{retention.denominator} * (n_layer - 1);
      for (std::int64_t l = 1; l < n_layer; ++l) {
        const Wide dropped = Wide{retention.denominator - retention.numerator} * l;
        tokens[l] = ceil_div(T * (scale - dropped), scale);
      }
      break;
    }
    case Kind::kConstant:
      std::fill(tokens.begin() + 1, tokens.end(), retention.ceil_of(T));
      break;
    case Kind::kSteps:
      for (const Step& step : steps_) {
        if (step.layer < 1 || step.layer >= n_layer) {
          throw InputError("schedule: expected layers in [1, " + std::to_string(n_layer) +
                           ") for a model of " + std::to_string(n_layer) + " layers, got " +
                           std::to_string(step.layer) + " in '" + text_ + "'");
        }
        std::fill(tokens.begin() + step.layer, tokens.end(), step.fraction.ceil_of(T));
      }
      break;
  }
  return tokens;
}

}  // namespace simba
