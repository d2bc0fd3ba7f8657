#include "csrc/tokenizer/byte_level_bpe.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/tokenizer/byte_unicode.h"
#include "csrc/tokenizer/gpt2_split.h"
#include "csrc/tokenizer/nfc.h"
#include "csrc/tokenizer/utf8.h"

namespace simba {
namespace {

constexpr const char* kDocumentStart = "<|endoftext|>";

// The bytes that a piece spells; nothing if it holds a character outside the byte alphabet.
std::optional<std::string> spelled_bytes(const std::string& piece) {
  std::string bytes;
  for (std::size_t i = 0; i < piece.size();) {
    const CodePoint c = code_point_at(piece, i);
    const std::optional<unsigned char> byte = byte_of(c.value);
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
    i += c.size;
  }
  return bytes;
}

// C0, C1 and F5 to FF occur in no UTF-8 text.
bool occurs_in_utf8(unsigned byte) { return byte < 0xC0 || (byte > 0xC1 && byte < 0xF5); }

BpeMerges make_merges(const std::vector<TokenizerJson::Merge>& list) {
  BpeMerges merges(list.size());
  for (std::size_t rank = 0; rank < list.size(); ++rank) {
    merges.set(list[rank].left, list[rank].right, static_cast<std::int32_t>(rank),
               list[rank].merged);
  }
  return merges;
}

// The added tokens that are looked for in normalized text, or those that are not.
std::vector<AddedToken> select(const TokenizerJson& file, bool normalized,
                               const std::string& path) {
  std::vector<AddedToken> selected;
  for (AddedToken token : file.added_tokens) {
    if (token.normalized != normalized) continue;
    if (normalized && file.nfc) {
      std::string storage;
      token.content = std::string(nfc(token.content, storage));
    }
    const auto same = [&](const AddedToken& other) { return other.content == token.content; };
    if (std::any_of(selected.begin(), selected.end(), same)) {
      throw InputError(path + ": added_tokens: expected different texts after NFC, id " +
                       std::to_string(token.id) + " repeats one");
    }
    selected.push_back(std::move(token));
  }
  return selected;
}

}  // namespace

ByteLevelBpe::ByteLevelBpe(TokenizerJson file, const std::string& path)
    : pieces_(std::move(file.pieces)),
      merges_(make_merges(file.merges)),
      exact_tokens_(select(file, false, path)),
      normalized_tokens_(select(file, true, path)),
      nfc_(file.nfc),
      add_prefix_space_(file.add_prefix_space),
      use_regex_(file.use_regex) {
  byte_ids_.fill(-1);
  piece_bytes_.reserve(pieces_.size());
  for (std::size_t id = 0; id < pieces_.size(); ++id) {
    const std::optional<std::string> bytes = spelled_bytes(pieces_[id]);
    piece_bytes_.push_back(bytes.value_or(pieces_[id]));
    if (!bytes || bytes->empty()) continue;
    if (bytes->size() == 1) {
      byte_ids_[static_cast<unsigned char>((*bytes)[0])] = static_cast<std::int32_t>(id);
    }
    if (file.ignore_merges) whole_words_.emplace(*bytes, static_cast<std::int32_t>(id));
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (byte_ids_[byte] < 0 && occurs_in_utf8(byte)) {
      throw InputError(path + ": model.vocab: expected a piece for every byte, none for byte " +
                       std::to_string(byte));
    }
  }
  for (AddedToken& token : file.added_tokens) {
    const auto id = static_cast<std::size_t>(token.id);
    if (id >= pieces_.size()) pieces_.resize(id + 1);
    if (id >= piece_bytes_.size()) piece_bytes_.resize(id + 1);
    std::string storage;
    const std::string form(token.normalized && nfc_ ? nfc(token.content, storage) : token.content);
    piece_bytes_[id] = spelled_bytes(form).value_or(form);
    pieces_[id] = std::move(token.content);
  }
  document_start_ = std::find(pieces_.begin(), pieces_.end(), kDocumentStart) - pieces_.begin();
  if (document_start_ == vocab_size()) {
    throw InputError(path + ": expected a token " + kDocumentStart +
                     " to start documents with, found none");
  }
}

std::vector<std::int64_t> ByteLevelBpe::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<std::int64_t> ids;
  ids.reserve(text.size() / 3);
  std::string storage;
  exact_tokens_.cut(text, [&](const AddedTokens::Piece& outer) {
    if (outer.id >= 0) {
      ids.push_back(outer.id);
      return;
    }
    const std::string_view normalized = nfc_ ? nfc(outer.text, storage) : outer.text;
    normalized_tokens_.cut(normalized, [&](const AddedTokens::Piece& inner) {
      if (inner.id >= 0) {
        ids.push_back(inner.id);
      } else if (add_prefix_space_ && inner.text[0] != ' ') {
        encode_normalized(std::string(1, ' ').append(inner.text), ids);
      } else {
        encode_normalized(inner.text, ids);
      }
    });
  });
  return ids;
}

void ByteLevelBpe::encode_normalized(std::string_view text, std::vector<std::int64_t>& ids) const {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = use_regex_ ? gpt2_word_end(text, begin) : text.size();
    encode_word(text.substr(begin, end - begin), ids);
    begin = end;
  }
}

void ByteLevelBpe::encode_word(std::string_view word, std::vector<std::int64_t>& ids) const {
  if (cache_.append(word, ids)) return;
  std::vector<std::int32_t> symbols;
  const auto whole =
      whole_words_.empty() ? whole_words_.end() : whole_words_.find(std::string(word));
  if (whole != whole_words_.end()) {
    symbols.push_back(whole->second);
  } else {
    std::transform(word.begin(), word.end(), std::back_inserter(symbols),
                   [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; });
    merges_.apply(symbols);
  }
  cache_.insert(word, symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

std::string ByteLevelBpe::decode(const std::vector<std::int64_t>& ids) const {
  std::string bytes;
  for (const std::int64_t id : ids) bytes += piece_bytes_[index_of(id)];
  return replace_invalid_utf8(std::move(bytes));
}

std::string ByteLevelBpe::piece(std::int64_t id) const { return pieces_[index_of(id)]; }

std::size_t ByteLevelBpe::index_of(std::int64_t id) const {
  if (id < 0 || id >= vocab_size()) {
    throw InputError("token id: expected 0 to " + std::to_string(vocab_size() - 1) + ", got " +
                     std::to_string(id));
  }
  return static_cast<std::size_t>(id);
}

}  // namespace simba
