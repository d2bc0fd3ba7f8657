#include "eval/perplexity/windows.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "csrc/input_error.h"
#include "eval/text/read_file.h"

namespace simba::eval {
namespace {

std::string describe(const WindowSize& size) {
  return "context " + std::to_string(size.context) + " + score " + std::to_string(size.score);
}

struct Usable {
  std::vector<std::size_t> books;
  std::vector<std::size_t> too_short;
};

Usable split_by_length(const std::vector<Book>& books, const WindowSize& size) {
  Usable result;
  for (std::size_t i = 0; i < books.size(); ++i) {
    (books[i].length() >= size.total() ? result.books : result.too_short).push_back(i);
  }
  if (!result.books.empty()) return result;
  const auto longest =
      std::max_element(books.begin(), books.end(),
                       [](const Book& a, const Book& b) { return a.length() < b.length(); });
  throw InputError("--context: " + describe(size) + " = " + std::to_string(size.total()) +
                   " ids is longer than every book; the longest is " + longest->name + " with " +
                   std::to_string(longest->length()));
}

std::size_t find_book(const std::vector<Book>& books, std::string name, const std::string& where) {
  if (name.ends_with(".txt")) name.resize(name.size() - 4);
  for (std::size_t i = 0; i < books.size(); ++i) {
    if (books[i].name == name) return i;
  }
  throw InputError(where + ": expected the name of a book of --data, got '" + name + "'");
}

std::int64_t parse_start(const std::string& text, const std::string& where) {
  std::int64_t start = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), start);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw InputError(where + ": expected 'book start' with an integer start, got '" + text + "'");
  }
  return start;
}

}  // namespace

WindowList spread_windows(const std::vector<Book>& books, const WindowSize& size,
                          std::int64_t count) {
  Usable usable = split_by_length(books, size);
  const auto n_books = static_cast<std::int64_t>(usable.books.size());
  WindowList list{{}, std::move(usable.too_short)};
  for (std::int64_t b = 0; b < n_books; ++b) {
    const std::size_t book = usable.books[static_cast<std::size_t>(b)];
    const std::int64_t room = books[book].length() - size.total();
    const std::int64_t n = count / n_books + (b < count % n_books ? 1 : 0);
    if (n > std::max<std::int64_t>(room, 1)) {
      throw InputError("--windows: book " + books[book].name + " (" +
                       std::to_string(books[book].length()) + " ids) would need " +
                       std::to_string(n) + " different windows of " + describe(size) +
                       ", but has room for " + std::to_string(std::max<std::int64_t>(room, 1)));
    }
    for (std::int64_t i = 0; i < n; ++i) list.windows.push_back({book, i * room / n});
  }
  return list;
}

WindowList windows_per_book(const std::vector<Book>& books, const WindowSize& size,
                            std::int64_t per_book) {
  constexpr std::int64_t kSmallestStride = 10;
  Usable usable = split_by_length(books, size);
  WindowList list{{}, std::move(usable.too_short)};
  for (const std::size_t book : usable.books) {
    const std::int64_t room = books[book].length() - size.total();
    const std::int64_t stride = std::max(kSmallestStride, room / per_book);
    for (std::int64_t i = 0; i < per_book && (i == 0 || i * stride < room); ++i) {
      list.windows.push_back({book, i * stride});
    }
  }
  return list;
}

WindowList read_windows(const std::string& path, const std::vector<Book>& books,
                        const WindowSize& size) {
  WindowList list{{}, split_by_length(books, size).too_short};
  std::istringstream lines(read_file(path));
  std::set<std::pair<std::size_t, std::int64_t>> seen;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::string where = path + ":" + std::to_string(number);
    constexpr auto kBlanks = " \t\r";
    const std::size_t first = line.find_first_not_of(kBlanks);
    if (first == std::string::npos || line[first] == '#') continue;
    // A book's name may hold blanks; its start is the last field.
    const std::size_t last = line.find_last_not_of(kBlanks);
    const std::size_t gap = line.find_last_of(kBlanks, last);
    if (gap == std::string::npos || gap < first) {
      throw InputError(where + ": expected 'book start', got '" + line + "'");
    }
    const std::int64_t start = parse_start(line.substr(gap + 1, last - gap), where);
    const std::size_t name_end = line.find_last_not_of(kBlanks, gap);
    const std::size_t book = find_book(books, line.substr(first, name_end + 1 - first), where);
    const std::int64_t room = books[book].length() - size.total();
    if (room < 0) {
      throw InputError(where + ": book " + books[book].name + " of " +
                       std::to_string(books[book].length()) + " ids is shorter than " +
                       describe(size));
    }
    if (start < 0 || start > room) {
      throw InputError(where + ": expected a start in [0, " + std::to_string(room) + "] for " +
                       describe(size) + " in book " + books[book].name + " of " +
                       std::to_string(books[book].length()) + " ids, got " + std::to_string(start));
    }
    if (!seen.insert({book, start}).second) {
      throw InputError(where + ": window " + books[book].name + " " + std::to_string(start) +
                       " is given twice");
    }
    list.windows.push_back({book, start});
  }
  if (list.windows.empty()) throw InputError(path + ": expected lines 'book start', found none");
  return list;
}

std::int64_t window_document(const Book& book, const Window& window) {
  // FNV-1a, 64 bits, over "name start".
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : book.name + " " + std::to_string(window.start)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return static_cast<std::int64_t>(hash >> 1);
}

}  // namespace simba::eval
