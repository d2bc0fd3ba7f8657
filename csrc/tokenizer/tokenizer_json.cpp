#include "csrc/tokenizer/tokenizer_json.h"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "csrc/input_error.h"

namespace simba {
namespace {

using nlohmann::json;
using Vocabulary = std::unordered_map<std::string, std::int32_t>;

// Files reach here from the network; an id far beyond the vocabulary would make `pieces` huge.
constexpr std::int64_t kMaxId = 10'000'000;

// A value as a few words on one line.
std::string shown(const json& value) {
  if (value.is_structured()) return value.is_array() ? "an array" : "an object";
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  constexpr std::size_t kLimit = 60;
  return text.size() > kLimit ? text.substr(0, kLimit) + "..." : text;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  TokenizerJson read(std::string_view text) {
    const json root = parse(text);
    TokenizerJson out;
    if (!root.is_object()) refuse("", "an object", root);
    if (const json& version = member(root, "version"); !version.is_null() && version != "1.0") {
      refuse("version", "\"1.0\"", version);
    }
    for (const char* name : {"truncation", "padding"}) {
      if (const json& value = member(root, name); !value.is_null()) refuse(name, "null", value);
    }
    out.nfc = read_normalizer(member(root, "normalizer"));
    read_pre_tokenizer(member(root, "pre_tokenizer"), out);
    check_post_processor(member(root, "post_processor"));
    require_type("decoder", member(root, "decoder"), {"ByteLevel"});
    read_model(member(root, "model"), out);
    read_added_tokens(member(root, "added_tokens"), out);
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw InputError(path_ + ": " + what); }

  [[noreturn]] void refuse(const std::string& where, const std::string& expected,
                           const json& value) const {
    fail((where.empty() ? "" : where + ": ") + "expected " + expected + ", got " + shown(value));
  }

  json parse(std::string_view text) const {
    try {
      return json::parse(text);
    } catch (const json::parse_error& error) {
      fail("expected JSON, it breaks off or is malformed at byte " + std::to_string(error.byte));
    } catch (const json::exception&) {
      fail("expected JSON with numbers in range");
    }
  }

  // null where there is no such member.
  static const json& member(const json& object, const char* name) {
    static const json null;
    const auto found = object.find(name);
    return found == object.end() ? null : *found;
  }

  bool read_bool(const json& object, const std::string& where, const char* name,
                 std::optional<bool> fallback = std::nullopt) const {
    const json& value = member(object, name);
    if (value.is_null() && fallback) return *fallback;
    if (!value.is_boolean()) refuse(where + "." + name, "true or false", value);
    return value.get<bool>();
  }

  std::int32_t read_id(const json& value, const std::string& where) const {
    if (!value.is_number_integer() || value < 0 || value > kMaxId) {
      refuse(where, "an id from 0 to " + std::to_string(kMaxId), value);
    }
    return value.get<std::int32_t>();
  }

  std::string require_type(const std::string& where, const json& component,
                           std::initializer_list<const char*> known) const {
    const json& type = component.is_object() ? member(component, "type") : component;
    std::string expected;
    for (const char* name : known) {
      if (type == name) return name;
      expected += (expected.empty() ? "" : " or ") + std::string(name);
    }
    refuse(where, "the type " + expected, type);
  }

  bool read_normalizer(const json& normalizer) const {
    if (normalizer.is_null()) return false;
    if (require_type("normalizer", normalizer, {"NFC", "Sequence"}) == "NFC") return true;
    const json& parts = member(normalizer, "normalizers");
    if (!parts.is_array()) refuse("normalizer.normalizers", "an array", parts);
    for (const json& part : parts) require_type("normalizer.normalizers", part, {"NFC"});
    return !parts.empty();
  }

  void read_pre_tokenizer(const json& byte_level, TokenizerJson& out) const {
    require_type("pre_tokenizer", byte_level, {"ByteLevel"});
    // trim_offsets moves the offsets that `tokenizers` reports, never an id.
    out.add_prefix_space = read_bool(byte_level, "pre_tokenizer", "add_prefix_space");
    out.use_regex = read_bool(byte_level, "pre_tokenizer", "use_regex", true);
  }

  // These add special tokens around the ids, which encode() leaves to its caller.
  void check_post_processor(const json& processor) const {
    if (processor.is_null()) return;
    require_type("post_processor", processor, {"ByteLevel", "TemplateProcessing"});
  }

  void read_model(const json& model, TokenizerJson& out) {
    if (!model.is_object()) refuse("model", "an object", model);
    if (const json& type = member(model, "type"); !type.is_null() && type != "BPE") {
      refuse("model", "the type BPE", type);
    }
    if (const json& dropout = member(model, "dropout"); !dropout.is_null() && dropout != 0.0) {
      refuse("model.dropout", "null or 0", dropout);
    }
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const json& affix = member(model, name);
      if (!affix.is_null() && affix != "") {
        refuse(std::string("model.") + name, "null or empty", affix);
      }
    }
    // unk_token, fuse_unk and byte_fallback act on characters outside the vocabulary. Every byte
    // that UTF-8 can hold is in ours, which ByteLevelBpe checks, so they never come into play.
    out.ignore_merges = read_bool(model, "model", "ignore_merges", false);
    read_vocabulary(member(model, "vocab"), out);
    read_merges(member(model, "merges"), out);
  }

  void read_vocabulary(const json& vocab, TokenizerJson& out) {
    if (!vocab.is_object() || vocab.empty()) {
      refuse("model.vocab", "an object of pieces and ids", vocab);
    }
    vocabulary_.reserve(vocab.size());
    for (const auto& [piece, value] : vocab.items()) {
      const std::string where = "model.vocab[" + shown(piece) + "]";
      if (piece.empty()) fail("model.vocab: expected pieces of text, got an empty one");
      const std::int32_t id = read_id(value, where);
      require_unused(id, where, out);
      const auto index = static_cast<std::size_t>(id);
      if (index >= out.pieces.size()) out.pieces.resize(index + 1);
      out.pieces[index] = piece;
      vocabulary_.emplace(piece, id);
    }
  }

  void require_unused(std::int32_t id, const std::string& where, const TokenizerJson& out) const {
    const auto index = static_cast<std::size_t>(id);
    if (index >= out.pieces.size() || out.pieces[index].empty()) return;
    fail(where + ": expected an id of its own, got " + std::to_string(id) + ", that of " +
         shown(out.pieces[index]));
  }

  std::int32_t id_of(const std::string& piece, const std::string& where) const {
    const auto found = vocabulary_.find(piece);
    if (found == vocabulary_.end()) {
      fail(where + ": expected a piece of the vocabulary, got " + shown(piece));
    }
    return found->second;
  }

  void read_merges(const json& merges, TokenizerJson& out) const {
    if (!merges.is_array()) refuse("model.merges", "an array", merges);
    out.merges.reserve(merges.size());
    for (const json& merge : merges) {
      // Files made from a merges.txt may keep its first line.
      if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version"))
        continue;
      const std::string where = "model.merges[" + std::to_string(out.merges.size()) + "]";
      const auto [left, right] = read_pair(merge, where);
      out.merges.push_back({id_of(left, where), id_of(right, where), id_of(left + right, where)});
    }
  }

  // ["a", "b"], or "a b" in files of tokenizers 0.19 and older.
  std::pair<std::string, std::string> read_pair(const json& merge, const std::string& where) const {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      return {merge[0].get<std::string>(), merge[1].get<std::string>()};
    }
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      const std::size_t blank = text.find(' ');
      if (blank != std::string::npos && text.find(' ', blank + 1) == std::string::npos) {
        return {text.substr(0, blank), text.substr(blank + 1)};
      }
    }
    refuse(where, "\"a b\" or [\"a\", \"b\"]", merge);
  }

  // `tokenizers` gives an added token the id of the same piece of the vocabulary, else the next
  // free one, whatever the file says; a file that says otherwise is refused rather than read
  // differently.
  void read_added_tokens(const json& tokens, TokenizerJson& out) const {
    if (tokens.is_null()) return;
    if (!tokens.is_array()) refuse("added_tokens", "an array", tokens);
    auto next = static_cast<std::int32_t>(vocabulary_.size());
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const std::string where = "added_tokens[" + std::to_string(i) + "]";
      const json& token = tokens[i];
      if (!token.is_object()) refuse(where, "an object", token);
      const json& content = member(token, "content");
      if (!content.is_string() || content == "") refuse(where + ".content", "text", content);
      AddedToken added;
      added.content = content.get<std::string>();
      if (!seen.insert(added.content).second) {
        fail(where + ".content: expected a token once only, got " + shown(content) + " again");
      }
      const auto known = vocabulary_.find(added.content);
      const std::int32_t expected = known != vocabulary_.end() ? known->second : next++;
      added.id = read_id(member(token, "id"), where + ".id");
      if (added.id != expected) {
        refuse(where + ".id", std::to_string(expected) + " for " + shown(content), token["id"]);
      }
      if (known == vocabulary_.end()) require_unused(expected, where, out);
      added.single_word = read_bool(token, where, "single_word");
      added.lstrip = read_bool(token, where, "lstrip");
      added.rstrip = read_bool(token, where, "rstrip");
      added.normalized = read_bool(token, where, "normalized");
      out.added_tokens.push_back(std::move(added));
    }
  }

  const std::string& path_;
  Vocabulary vocabulary_;
};

}  // namespace

TokenizerJson read_tokenizer_json(std::string_view text, const std::string& path) {
  return Reader(path).read(text);
}

}  // namespace simba
