#include "eval/perplexity/books.h"

#include <filesystem>

#include "eval/text/sha256.h"
#include "tests/cpp/eval/fake_tokenizer.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::eval {
namespace {

using test::refuses;
using test::TemporaryFolder;

TEST(Books, AFolderIsReadInNameOrder) {
  const TemporaryFolder folder;
  folder.write("b.txt", "two words");
  folder.write("a.txt", "one");
  folder.write("notes.md", "no book");
  std::filesystem::create_directory(folder / "c.txt");
  const std::vector<Book> books = read_books(folder.path(), FakeTokenizer());
  ASSERT_EQ(books.size(), 2u);
  EXPECT_EQ(books[0].name, "a");
  EXPECT_EQ(books[1].name, "b");
  EXPECT_EQ(books[0].ids, (std::vector<std::int64_t>{1, 'o' % 20 + 2, 'n' % 20 + 2, 'e' % 20 + 2}));
  EXPECT_EQ(books[1].words, 2);
  EXPECT_EQ(books[1].sha256, sha256("two words"));
}

TEST(Books, AFileIsOneBook) {
  const TemporaryFolder folder;
  const std::vector<Book> books = read_books(folder.write("story", "Once."), FakeTokenizer());
  ASSERT_EQ(books.size(), 1u);
  EXPECT_EQ(books[0].name, "story");
  EXPECT_EQ(books[0].length(), 6);
}

TEST(Books, WhatCannotBeReadIsNamed) {
  const TemporaryFolder folder;
  const FakeTokenizer tokenizer;
  EXPECT_TRUE(refuses("absent: no such", [&] { read_books(folder / "absent", tokenizer); }));
  EXPECT_TRUE(refuses("found none", [&] { read_books(folder.path(), tokenizer); }));
  EXPECT_TRUE(refuses("empty file", [&] { read_books(folder.write("empty.txt", ""), tokenizer); }));
  EXPECT_TRUE(
      refuses("bad.txt: ", [&] { read_books(folder.write("bad.txt", "ab\xffz"), tokenizer); }));
}

TEST(Books, IdsBeyondTheModelAreRefused) {
  std::vector<Book> books = {{"first", {1, 5, 9}, 1, ""}, {"second", {1, 10}, 1, ""}};
  check_ids(books, FakeTokenizer(), 11);
  EXPECT_TRUE(refuses("book second has id 10 ('<10>'), expected ids below the model's 10 rows",
                      [&] { check_ids(books, FakeTokenizer(), 10); }));
}

}  // namespace
}  // namespace simba::eval
