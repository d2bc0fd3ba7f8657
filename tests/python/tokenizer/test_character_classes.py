"""Our character classes against the regular expressions that Hugging Face's `tokenizers` runs.

Its engine for \\p{L}, \\p{N} and \\s knows a newer Unicode than 15, so only characters of 15 are compared.
"""

from __future__ import annotations

import pytest
from texts import assigned
from tokenizer_tools import character_classes
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

LETTER, NUMBER, SPACE, WORD = 1, 2, 4, 8


def ours(bit: int) -> set[str]:
    classes = character_classes()
    return {c for c in assigned() if classes[ord(c)] & bit}


@pytest.mark.parametrize(("pattern", "bit"), [(r"\p{L}", LETTER), (r"\p{N}", NUMBER), (r"\s", SPACE)])
def test_classes_of_the_pattern(pattern, bit):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    characters = assigned()
    theirs = set()
    for begin in range(0, len(characters), 4096):
        for piece, _ in split.pre_tokenize_str("".join(characters[begin : begin + 4096])):
            theirs.update(piece)
    assert theirs == ours(bit)


def test_word_characters_keep_a_single_word_token_from_matching():
    tokenizer = Tokenizer(models.BPE(vocab={"\n": 0}, merges=[]))
    tokenizer.add_tokens([AddedToken("@@", single_word=True, normalized=False)])
    theirs = set()
    characters = [c for c in assigned() if c != "@"]
    for begin in range(0, len(characters), 4096):
        chunk = characters[begin : begin + 4096]
        encoding = tokenizer.encode("\n".join(c + "@@" for c in chunk), add_special_tokens=False)
        found = zip(encoding.offsets, encoding.tokens, strict=True)
        at = {start for (start, _), token in found if token == "@@"}
        theirs.update(c for i, c in enumerate(chunk) if 4 * i + 1 not in at)
    assert theirs == ours(WORD)
