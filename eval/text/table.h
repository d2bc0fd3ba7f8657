// Plain text in aligned columns.
#pragma once

#include <string>
#include <vector>

namespace simba::eval {

class Table {
 public:
  enum class Align { kLeft, kRight };

  void add_column(std::string header, Align align = Align::kRight);
  // One cell per column.
  void add_row(std::vector<std::string> cells);
  // Leaves a blank line before the next row.
  void add_gap() { gaps_.push_back(rows_.size()); }

  // Header, a rule, rows; columns are two blanks apart, no line ends in a blank. Widths count code
  // points.
  std::string text() const;

 private:
  std::vector<std::string> headers_;
  std::vector<Align> aligns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> gaps_;
};

// printf-like "%.*f" without locale.
std::string fixed(double value, int decimals);

// Four significant digits, without an exponent.
std::string significant(double value);

// 0.538 is "53.8%".
std::string percent(double share);

}  // namespace simba::eval
