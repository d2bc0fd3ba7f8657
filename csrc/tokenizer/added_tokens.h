// Added tokens: strings that are cut out of the text before it is split into words
// (huggingface/tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace simba {

struct AddedToken {
  std::int64_t id = 0;
  std::string content;
  bool single_word = false;  // only where no \w character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space after it along
  bool normalized = false;   // is looked for in normalized text, otherwise in the text as given
};

class AddedTokens {
 public:
  // Looks for `content` as it stands. Contents must be different and not empty.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // A stretch of text, in order: an added token (id >= 0), or what stands between them (id < 0).
  struct Piece {
    std::int64_t id;
    std::string_view text;
  };

  // Calls on_piece(Piece) for each piece of the text, never for empty text. Of the tokens that
  // start earliest the longest is taken; one refused by single_word is passed over as a whole.
  template <typename OnPiece>
  void cut(std::string_view text, OnPiece&& on_piece) const {
    std::size_t begin = 0;
    std::size_t search = 0;
    while (const AddedToken* token = find(text, search)) {
      const std::size_t found = search;
      search += token->content.size();
      if (token->single_word && touches_word(text, found, search)) continue;
      const std::size_t start = token->lstrip ? strip_left(text, begin, found) : found;
      const std::size_t stop = token->rstrip ? strip_right(text, search) : search;
      if (begin < start) on_piece(Piece{-1, text.substr(begin, start - begin)});
      on_piece(Piece{token->id, text.substr(found, search - found)});
      begin = stop;
    }
    if (begin < text.size()) on_piece(Piece{-1, text.substr(begin)});
  }

 private:
  struct Node {
    std::int32_t token = -1;  // index into tokens_ of the token that ends here
    std::map<unsigned char, std::int32_t> children;
  };

  // The next token at or after `begin`, which is moved to its start.
  const AddedToken* find(std::string_view text, std::size_t& begin) const;
  static bool touches_word(std::string_view text, std::size_t begin, std::size_t end);
  static std::size_t strip_left(std::string_view text, std::size_t limit, std::size_t begin);
  static std::size_t strip_right(std::string_view text, std::size_t end);

  std::vector<AddedToken> tokens_;
  std::vector<Node> trie_;
  std::array<bool, 256> starts_{};  // by first byte
};

}  // namespace simba
