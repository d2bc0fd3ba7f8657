#include "eval/run/command_line.h"

#include <algorithm>

namespace simba::eval {
namespace {

constexpr auto kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";

std::string quoted(const std::string& argument) {
  if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) return argument;
  std::string text(1, '\'');
  for (const char c : argument) {
    if (c == '\'') text += "'\\'";  // ends the quotes, a quote, begins them again
    text += c;
  }
  text += '\'';
  return text;
}

}  // namespace

std::string shell_line(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) {
    if (!line.empty()) line += ' ';
    line += quoted(argument);
  }
  return line;
}

std::string resuming_line(std::vector<std::string> arguments) {
  std::erase(arguments, "--force");
  if (std::find(arguments.begin(), arguments.end(), "--resume") == arguments.end()) {
    arguments.emplace_back("--resume");
  }
  return shell_line(arguments);
}

}  // namespace simba::eval
