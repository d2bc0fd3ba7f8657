#include "eval/perplexity/windows.h"

#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::eval {
namespace {

using test::refuses;
using test::TemporaryFolder;

std::vector<Book> books_of(const std::vector<std::int64_t>& lengths) {
  std::vector<Book> books;
  for (const std::int64_t length : lengths) {
    books.push_back({std::string(1, static_cast<char>('a' + books.size())),
                     std::vector<std::int64_t>(static_cast<std::size_t>(length), 1), 1, ""});
  }
  return books;
}

std::vector<std::pair<std::size_t, std::int64_t>> pairs(const WindowList& list) {
  std::vector<std::pair<std::size_t, std::int64_t>> all;
  for (const Window& window : list.windows) all.emplace_back(window.book, window.start);
  return all;
}

using Pairs = std::vector<std::pair<std::size_t, std::int64_t>>;

TEST(Windows, AreSpreadOverBooksThenOverEachBook) {
  // Rooms of 10, 0 and 7 with windows of 8 + 2; the last book is too short.
  const WindowList list = spread_windows(books_of({20, 10, 17, 9}), {8, 2}, 4);
  EXPECT_EQ(pairs(list), (Pairs{{0, 0}, {0, 5}, {1, 0}, {2, 0}}));
  EXPECT_EQ(list.too_short, std::vector<std::size_t>{3});
}

TEST(Windows, StartsAreRoundedDown) {
  EXPECT_EQ(pairs(spread_windows(books_of({20}), {8, 2}, 4)),
            (Pairs{{0, 0}, {0, 2}, {0, 5}, {0, 7}}));
}

TEST(Windows, FewerThanBooksTakeTheFirstBooks) {
  EXPECT_EQ(pairs(spread_windows(books_of({20, 20, 20}), {8, 2}, 2)), (Pairs{{0, 0}, {1, 0}}));
}

TEST(Windows, NeverRepeat) {
  spread_windows(books_of({13}), {8, 2}, 3);
  EXPECT_TRUE(
      refuses("book a (13 ids) would need 4 different windows of context 8 + score 2, but "
              "has room for 3",
              [] {
                spread_windows(books_of({13}), {8, 2}, 4);
              }));
}

TEST(Windows, AContextLongerThanEveryBookIsRefused) {
  EXPECT_TRUE(refuses("= 10 ids is longer than every book; the longest is a with 9", [] {
    spread_windows(books_of({9, 7}), {8, 2}, 1);
  }));
}

TEST(Windows, PerBookAtACommonStride) {
  // Rooms of 100, 37, 205 (stride 20, not 20.5) and 0.
  const WindowList list = windows_per_book(books_of({110, 47, 215, 10, 3}), {8, 2}, 10);
  Pairs expected;
  for (std::int64_t i = 0; i < 10; ++i) expected.emplace_back(0, 10 * i);
  for (std::int64_t i = 0; i < 4; ++i) expected.emplace_back(1, 10 * i);
  for (std::int64_t i = 0; i < 10; ++i) expected.emplace_back(2, 20 * i);
  expected.emplace_back(3, 0);
  EXPECT_EQ(pairs(list), expected);
  EXPECT_EQ(list.too_short, std::vector<std::size_t>{4});
}

TEST(Windows, AFileFixesThem) {
  const TemporaryFolder folder;
  const std::string file = folder.write("w", "# chosen by hand\n\nb 3\r\n  a.txt   10 \nb 0\n");
  EXPECT_EQ(pairs(read_windows(file, books_of({20, 13}), {8, 2})),
            (Pairs{{1, 3}, {0, 10}, {1, 0}}));
}

TEST(Windows, AFileThatDoesNotFitIsNamedWithItsLine) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    return [&folder, text] { read_windows(folder.write("w", text), books_of({20, 9}), {8, 2}); };
  };
  EXPECT_TRUE(refuses("w:2: expected the name of a book of --data, got 'z'", read("a 0\nz 1\n")));
  EXPECT_TRUE(refuses("w:1: expected a start in [0, 10]", read("a 11\n")));
  EXPECT_TRUE(refuses("w:1: expected a start in [0, 10]", read("a -1\n")));
  EXPECT_TRUE(refuses("got '1.5'", read("a 1.5\n")));
  EXPECT_TRUE(refuses("w:1: expected 'book start'", read("a\n")));
  EXPECT_TRUE(refuses("w:2: window a 1 is given twice", read("a 1\na 1\n")));
  EXPECT_TRUE(refuses("w:1: book b of 9 ids is shorter than context 8 + score 2", read("b 0\n")));
  EXPECT_TRUE(refuses("found none", read("\n")));
  EXPECT_TRUE(refuses("x: cannot", [&] { read_windows(folder / "x", books_of({20}), {8, 2}); }));
}

TEST(Windows, AreNamedByBookAndStartAlone) {
  const std::vector<Book> books = books_of({50, 50});
  const std::int64_t document = window_document(books[0], {0, 3});
  EXPECT_EQ(document, window_document(books_of({20})[0], {7, 3}));
  EXPECT_NE(document, window_document(books[0], {0, 4}));
  EXPECT_NE(document, window_document(books[1], {1, 3}));
  EXPECT_GE(document, 0);
}

}  // namespace
}  // namespace simba::eval
