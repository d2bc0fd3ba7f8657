#include "eval/text/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace simba::eval {
namespace {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

void Table::add_column(std::string header, Align align) {
  headers_.push_back(std::move(header));
  aligns_.push_back(align);
}

void Table::add_row(std::vector<std::string> cells) {
  if (cells.size() != headers_.size()) {
    throw std::logic_error("table: expected " + std::to_string(headers_.size()) + " cells, got " +
                           std::to_string(cells.size()));
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < headers_.size(); ++c) {
    widths.push_back(width_of(headers_[c]));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::string padding(widths[c] - width_of(cells[c]), ' ');
      if (c > 0) text += "  ";
      text += aligns_[c] == Align::kLeft ? cells[c] + padding : padding + cells[c];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::size_t total = headers_.empty() ? 0 : 2 * (headers_.size() - 1);
  for (const std::size_t width : widths) total += width;
  std::string text = line(headers_) + std::string(total, '-') + "\n";
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    if (std::find(gaps_.begin(), gaps_.end(), r) != gaps_.end()) text += "\n";
    text += line(rows_[r]);
  }
  return text;
}

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  char text[400];
  const auto end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals).ptr;
  return std::string(text, end);
}

std::string significant(double value) {
  if (!(std::abs(value) > 0) || !std::isfinite(value)) return fixed(value, 0);
  const int magnitude = static_cast<int>(std::floor(std::log10(std::abs(value))));
  return fixed(value, std::max(0, 3 - magnitude));
}

std::string percent(double share) { return fixed(100 * share, 1) + "%"; }

}  // namespace simba::eval
