#include "csrc/tokenizer/sentence_piece_words.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <iterator>
#include <optional>

#include "csrc/tokenizer/protobuf_fields.h"
#include "csrc/tokenizer/utf8.h"

namespace simba {
namespace {

constexpr std::string_view kBlank = "\u2581";

// Of a piece; 6 is a byte. UNUSED ones (5) are taken apart again after they were merged.
enum Type : std::uint64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused };

struct Piece {
  std::string_view text;
  float score = 0;
  std::uint64_t type = kNormal;
};

// f(field) for every field; false where the message is damaged.
template <typename Function>
bool for_each_field(std::string_view message, const Function& f) {
  while (!message.empty()) {
    const std::optional<ProtobufField> field = take_field(message);
    if (!field) return false;
    f(*field);
  }
  return true;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Sequence sequence = utf8_sequence(text);
    if (!sequence.valid) return false;
    text.remove_prefix(sequence.size);
  }
  return true;
}

bool is_one_character(std::string_view text) {
  return !text.empty() && utf8_sequence(text).size == text.size();
}

}  // namespace

struct SentencePieceWords::Model {
  std::vector<Piece> pieces;
  std::uint64_t model_type = 1, blank_is_suffix = 0;
  std::uint64_t dummy_prefix = 1, remove_blanks = 1, escape_blanks = 1;
  bool normalizes = false;

  static std::optional<Model> read(std::string_view text);
};

std::optional<SentencePieceWords::Model> SentencePieceWords::Model::read(std::string_view text) {
  Model model;
  bool whole = true;
  const auto read_piece = [&](const ProtobufField& field) {
    Piece& piece = model.pieces.back();
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2)
      piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    if (field.number == 3) piece.type = field.value;
  };
  const auto read_trainer = [&](const ProtobufField& field) {
    if (field.number == 3) model.model_type = field.value;
    if (field.number == 24) model.blank_is_suffix = field.value;
  };
  const auto read_normalizer = [&](const ProtobufField& field) {
    if (field.number == 2) model.normalizes = !field.bytes.empty();
    if (field.number == 3) model.dummy_prefix = field.value;
    if (field.number == 4) model.remove_blanks = field.value;
    if (field.number == 5) model.escape_blanks = field.value;
  };
  const bool frame_is_whole = for_each_field(text, [&](const ProtobufField& field) {
    if (field.number == 1) {
      model.pieces.emplace_back();
      whole = for_each_field(field.bytes, read_piece) && whole;
    } else if (field.number == 2) {
      whole = for_each_field(field.bytes, read_trainer) && whole;
    } else if (field.number == 3) {
      whole = for_each_field(field.bytes, read_normalizer) && whole;
    }
  });
  if (!whole || !frame_is_whole) return std::nullopt;
  return model;
}

bool SentencePieceWords::independent(const Model& model) {
  constexpr std::uint64_t kBpe = 2;
  if (model.model_type != kBpe || model.blank_is_suffix != 0 || model.dummy_prefix != 1 ||
      model.remove_blanks != 0 || model.escape_blanks != 1 || model.normalizes) {
    return false;
  }
  bool has_blank = false;
  for (const Piece& piece : model.pieces) {
    const std::string_view text = piece.text;
    if (text.empty() || !is_utf8(text) || piece.type == kUnused) return false;
    if (text.find(' ') != text.npos || text.find(kBlank, 1) != text.npos) return false;
    if (piece.type == kUserDefined && text.starts_with(kBlank)) return false;
    // The library looks among control and unknown pieces first.
    if (piece.type != kNormal && piece.type != kUserDefined && is_one_character(text)) return false;
    has_blank = has_blank || (text == kBlank && piece.type == kNormal);
  }
  return has_blank;
}

std::unique_ptr<const SentencePieceWords> SentencePieceWords::of(std::string_view text) {
  const std::optional<Model> model = Model::read(text);
  if (!model || !independent(*model)) return nullptr;
  std::size_t splits = 0;
  for (const Piece& piece : model->pieces) splits += piece.text.size();
  return std::unique_ptr<const SentencePieceWords>(new SentencePieceWords(*model, splits));
}

SentencePieceWords::SentencePieceWords(const Model& model, std::size_t splits) : merges_(splits) {
  symbols_.fill(-1);
  ascii_.fill(-1);
  std::unordered_map<std::string_view, std::int32_t> ids;
  std::vector<float> scores;  // higher ones merge first, equal ones from the left
  std::array<int, 256> never_merging = {};
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const Piece& piece = model.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    if (piece.type == kNormal) {
      ids.emplace(piece.text, id);
      scores.push_back(piece.score);
    } else if (piece.type == kUserDefined) {
      for (const char c : piece.text) ++never_merging[static_cast<unsigned char>(c)];
      if (piece.text.size() == 1) symbols_[static_cast<unsigned char>(piece.text[0])] = id;
    }
  }
  // One that a longer symbol holds too, which is looked for first, is no cut.
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (never_merging[byte] > 1) symbols_[byte] = -1;
  }
  std::sort(scores.begin(), scores.end(), std::greater<>());
  for (const auto& [text, id] : ids) {
    if (is_one_character(text)) {
      const bool merges = std::none_of(text.begin(), text.end(), [&](char c) {
        return never_merging[static_cast<unsigned char>(c)] > 0;
      });
      if (!merges) continue;
      const char32_t c = code_point_at(text, 0).value;
      characters_.emplace(c, id);
      if (c < ascii_.size()) ascii_[c] = id;
      continue;
    }
    const auto rank =
        std::lower_bound(scores.begin(), scores.end(),
                         model.pieces[static_cast<std::size_t>(id)].score, std::greater<>()) -
        scores.begin();
    for (std::size_t cut = utf8_sequence(text).size; cut < text.size();
         cut += utf8_sequence(text.substr(cut)).size) {
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      merges_.set(left->second, right->second, static_cast<std::int32_t>(rank), id);
    }
  }
  blank_id_ = ids.at(kBlank);
}

std::int32_t SentencePieceWords::id_of_character(std::string_view text, std::size_t& begin) const {
  const auto lead = static_cast<unsigned char>(text[begin]);
  if (lead < ascii_.size()) {
    ++begin;
    return ascii_[lead];
  }
  const Utf8Sequence sequence = utf8_sequence(text.substr(begin));
  if (!sequence.valid) return -1;
  const auto found = characters_.find(code_point_at(text, begin).value);
  begin += sequence.size;
  return found == characters_.end() ? -1 : found->second;
}

bool SentencePieceWords::encode(std::string_view word, bool after_blank,
                                std::vector<std::int32_t>& ids) const {
  std::vector<std::int32_t> symbols;
  std::size_t begin = 0;
  if (after_blank) {
    symbols.push_back(blank_id_);
  } else {
    ++begin;
  }
  while (begin < word.size()) {
    symbols.push_back(id_of_character(word, begin));
    if (symbols.back() < 0) return false;
  }
  merges_.apply(symbols);
  if (!after_blank) ids.push_back(symbols_[static_cast<unsigned char>(word[0])]);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
  return true;
}

}  // namespace simba
