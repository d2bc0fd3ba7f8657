#include "eval/perplexity/books.h"

#include <algorithm>
#include <filesystem>

#include "csrc/input_error.h"
#include "eval/run/interrupt.h"
#include "eval/text/file_name.h"
#include "eval/text/read_file.h"
#include "eval/text/sha256.h"
#include "eval/text/white_space.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> book_files(const std::string& path) {
  std::error_code status;
  if (!fs::exists(path, status)) throw InputError("--data " + path + ": no such file or folder");
  if (!fs::is_directory(path, status)) return {path};
  std::vector<fs::path> files;
  fs::directory_iterator entries(path, status);
  if (status) throw InputError("--data " + path + ": " + status.message());
  for (const fs::directory_entry& entry : entries) {
    if (entry.path().extension() == ".txt" && entry.is_regular_file()) files.push_back(entry);
  }
  if (files.empty()) throw InputError("--data " + path + ": expected *.txt files, found none");
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.filename() < b.filename(); });
  return files;
}

Book read_book(const fs::path& file, const Tokenizer& tokenizer) {
  const std::string text = read_file(file.string());
  if (text.empty()) throw InputError(file.string() + ": expected text, got an empty file");
  Book book;
  book.name = file_name(file);
  if (file.extension() == ".txt") book.name = file.stem().string();
  book.ids = {tokenizer.document_start()};
  try {
    book.words = count_words(text);
    const std::vector<std::int64_t> tokens = tokenizer.encode(text);
    book.ids.insert(book.ids.end(), tokens.begin(), tokens.end());
  } catch (const InputError& error) {
    throw InputError(file.string() + ": " + error.what());
  }
  book.sha256 = sha256(text);
  return book;
}

}  // namespace

std::vector<Book> read_books(const std::string& path, const Tokenizer& tokenizer) {
  std::vector<Book> books;
  for (const fs::path& file : book_files(path)) {
    check_interrupt();
    books.push_back(read_book(file, tokenizer));
  }
  return books;
}

void check_ids(const std::vector<Book>& books, const Tokenizer& tokenizer,
               std::int64_t vocab_size) {
  for (const Book& book : books) {
    const std::int64_t largest = *std::max_element(book.ids.begin(), book.ids.end());
    if (largest < vocab_size) continue;
    throw InputError("the tokenizer does not fit the model: book " + book.name + " has id " +
                     std::to_string(largest) + " ('" + tokenizer.piece(largest) +
                     "'), expected ids below the model's " + std::to_string(vocab_size) + " rows");
  }
}

}  // namespace simba::eval
