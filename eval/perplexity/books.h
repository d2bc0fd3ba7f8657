// The documents of a perplexity run: plain text files, each one book.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "csrc/tokenizer/tokenizer.h"

namespace simba::eval {

struct Book {
  std::string name;               // the file's name without .txt
  std::vector<std::int64_t> ids;  // the document start, then the tokens of the whole text
  std::int64_t words = 0;         // of the text, by white space
  std::string sha256;             // of the file

  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
};

// Reads one file, or every *.txt of a folder (not of its subfolders) in the order of their names.
// Throws InputError where there is none, or one cannot be read, is empty or is not UTF-8.
std::vector<Book> read_books(const std::string& path, const Tokenizer& tokenizer);

// Throws InputError where a book holds an id that a model of `vocab_size` rows has not.
void check_ids(const std::vector<Book>& books, const Tokenizer& tokenizer, std::int64_t vocab_size);

}  // namespace simba::eval
