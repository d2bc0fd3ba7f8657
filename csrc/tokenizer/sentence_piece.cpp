#include "csrc/tokenizer/sentence_piece.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "csrc/input_error.h"
#include "csrc/tokenizer/protobuf_fields.h"

namespace simba {
namespace {

// A model is the message ModelProto of sentencepiece_model.proto: pieces = 1, trainer_spec = 2,
// normalizer_spec = 3, all messages. Protobuf takes a file cut off between two of them for a whole
// one, and the library would then encode with default settings; it also reports a file cut off
// anywhere else on stderr. So its frame is checked before the library sees it.
void require_whole_model(std::string_view bytes, const std::string& path) {
  constexpr std::uint64_t kLengthDelimited = 2;
  constexpr std::uint64_t kFields = 16;  // the schema ends at 5; more is not a model
  bool seen[kFields] = {};
  while (!bytes.empty()) {
    const std::optional<std::uint64_t> tag = take_varint(bytes);
    const std::uint64_t field = tag.value_or(0) >> 3;
    if (field == 0 || field >= kFields || (*tag & 7) != kLengthDelimited) {
      throw InputError(path + (seen[1] ? ": expected a whole SentencePiece model, it is damaged"
                                       : ": expected a SentencePiece model or a tokenizer.json, "
                                         "it is neither"));
    }
    const std::optional<std::uint64_t> length = take_varint(bytes);
    if (!length || *length > bytes.size()) {
      throw InputError(path + ": expected a whole SentencePiece model, it breaks off");
    }
    bytes.remove_prefix(*length);
    seen[field] = true;
  }
  if (!seen[1] || !seen[2] || !seen[3]) {
    throw InputError(path +
                     ": expected a SentencePiece model with pieces, trainer_spec and "
                     "normalizer_spec, it breaks off before its end");
  }
}

// The library's message as one printable line. A failed check inside it reads "file(line)
// [condition] " and may say no more.
std::string reason(const sentencepiece::util::Status& status) {
  std::string text = status.error_message();
  if (text.starts_with("./") || text.starts_with("src/") || text.starts_with("/")) {
    const std::size_t end = text.rfind("] ");
    text = end == std::string::npos ? "" : text.substr(end + 2);
  }
  if (text.empty()) text = "its content is damaged";
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

SentencePiece::SentencePiece(std::string_view model, const std::string& path)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  require_whole_model(model, path);
  const sentencepiece::util::Status status = processor_->LoadFromSerializedProto(model);
  if (!status.ok()) {
    throw InputError(path + ": expected a SentencePiece model: " + reason(status));
  }
  words_ = SentencePieceWords::of(model);
  document_start_ = processor_->eos_id();
  if (document_start_ < 0) {
    throw InputError(path + ": expected a piece </s> to start documents with, found none");
  }
}

SentencePiece::~SentencePiece() = default;

std::vector<std::int64_t> SentencePiece::encode(std::string_view text) const {
  std::vector<std::int64_t> ids;
  if (text.empty()) return ids;
  if (!words_) {
    const std::vector<int> all = encode_at_once(text);
    return {all.begin(), all.end()};
  }
  ids.reserve(text.size() / 2);
  const auto cut = [&](char c) { return c == ' ' || words_->begins_word(c); };
  bool after_blank = true;  // the library puts one before every text
  for (std::size_t begin = 0;;) {
    std::size_t end = after_blank ? begin : begin + 1;
    while (end < text.size() && !cut(text[end])) ++end;
    encode_word(text.substr(begin, end - begin), after_blank, ids);
    if (end == text.size()) return ids;
    after_blank = text[end] == ' ';
    begin = after_blank ? end + 1 : end;
  }
}

void SentencePiece::encode_word(std::string_view word, bool after_blank,
                                std::vector<std::int64_t>& ids) const {
  WordCache& cache = after_blank ? words_after_blanks_ : other_words_;
  if (!word.empty() && cache.append(word, ids)) return;
  std::vector<int> own;
  if (!words_->encode(word, after_blank, own)) {
    own = encode_at_once(word);
    if (!after_blank) own.erase(own.begin());
  }
  if (!word.empty()) cache.insert(word, own);
  ids.insert(ids.end(), own.begin(), own.end());
}

std::vector<int> SentencePiece::encode_at_once(std::string_view text) const {
  std::vector<int> ids;
  const sentencepiece::util::Status status = processor_->Encode(text, &ids);
  if (!status.ok()) {
    throw InputError("text to tokenize: SentencePiece refuses it: " + reason(status));
  }
  return ids;
}

std::string SentencePiece::decode(const std::vector<std::int64_t>& ids) const {
  std::vector<int> narrow;
  narrow.reserve(ids.size());
  for (const std::int64_t id : ids) narrow.push_back(checked_id(id));
  std::string text;
  const sentencepiece::util::Status status = processor_->Decode(narrow, &text);
  if (!status.ok()) {
    throw InputError("token ids: SentencePiece refuses them: " + reason(status));
  }
  return text;
}

std::int64_t SentencePiece::vocab_size() const { return processor_->GetPieceSize(); }

std::string SentencePiece::piece(std::int64_t id) const {
  return processor_->IdToPiece(checked_id(id));
}

int SentencePiece::checked_id(std::int64_t id) const {
  if (id < 0 || id >= vocab_size()) {
    throw InputError("token id: expected 0 to " + std::to_string(vocab_size() - 1) + ", got " +
                     std::to_string(id));
  }
  return static_cast<int>(id);
}

}  // namespace simba
