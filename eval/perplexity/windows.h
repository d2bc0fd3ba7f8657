// Where a perplexity run reads: which tokens of which book are context, which are scored.
//
// A window is (book, start). The longest context T_max of the run is ids [start, start + T_max),
// the scored tokens are the `score` ids after it; a shorter context T is the newest T ids before
// the same scored tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/perplexity/books.h"

namespace simba::eval {

struct Window {
  std::size_t book;  // index into the run's books
  std::int64_t start;
};

struct WindowSize {
  std::int64_t context;  // the longest of the run
  std::int64_t score;

  std::int64_t total() const { return context + score; }
};

struct WindowList {
  std::vector<Window> windows;
  std::vector<std::size_t> too_short;  // books that cannot hold one window; not used
};

// `count` windows over all books that hold one: floor(count / books) per book and one more for the
// first count mod books; the i-th of a book's n starts at floor(i (length - total) / n). Throws
// InputError where every book is too short, or a book has not as many different starts.
WindowList spread_windows(const std::vector<Book>& books, const WindowSize& size,
                          std::int64_t count);

// At most `per_book` windows in every book that holds one, at multiples of
// max(10, floor((length - total) / per_book)): the protocol of DeciMamba's PG-19 evaluation.
WindowList windows_per_book(const std::vector<Book>& books, const WindowSize& size,
                            std::int64_t per_book);

// Windows fixed by a file: a line "book start" each, blank lines and lines that begin with # left
// out. Throws InputError with file and line on an unknown book, a start out of range or a repeated
// window.
WindowList read_windows(const std::string& path, const std::vector<Book>& books,
                        const WindowSize& size);

// What a random criterion draws from: a number that depends on the window alone, whatever else is
// run.
std::int64_t window_document(const Book& book, const Window& window);

}  // namespace simba::eval
