"""simba-eval tasks beside lm-evaluation-harness itself: every log-likelihood, every prediction.

    python tests/python/eval/lm_eval_comparison.py --program out/build/bin/simba-eval \\
        --model CHECKPOINT --data BENCHMARKS [--tasks arc_easy,...] [--shots N] [--limit N]

lm_eval runs its own task files on the same documents (in the form of the data sets it expects) with
Hugging Face's Mamba on the same weights, in float32 on a CPU. It passes where every log-likelihood is
within 1e-3 of lm_eval's, and every prediction is the same unless its two best choices differ by less than
2e-3. Hugging Face's Mamba is slow on a CPU: 200 documents of a task take minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1")
sys.path.insert(0, str(Path(__file__).parents[1]))

LIKELIHOOD_TOLERANCE = 1e-3
NEAR_TIE = 2e-3
TASKS = ("lambada_openai", "hellaswag", "piqa", "arc_easy", "arc_challenge", "winogrande")


# ---- the documents, in the form of the data sets that lm_eval's task files name


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def arc_rows(path: Path) -> list[dict]:
    """As allenai/ai2_arc: the question a string, texts and labels two lists."""
    return [
        {
            "id": row["id"],
            "question": row["question"]["stem"],
            "choices": {key: [choice[key] for choice in row["question"]["choices"]] for key in ("text", "label")},
            "answerKey": row["answerKey"],
        }
        for row in read_lines(path)
    ]


def piqa_rows(path: Path) -> list[dict]:
    labels = path.with_name(f"{path.stem}-labels.lst").read_text().split()
    return [row | {"label": int(label)} for row, label in zip(read_lines(path), labels, strict=True)]


@dataclass(frozen=True)
class Source:
    """Where lm_eval finds a task: its own file, and rows of each split."""

    include: str
    splits: dict[str, list[dict]]
    changes: str = ""


def source_of(task: str, data: Path) -> Source:
    if task in ("arc_easy", "arc_challenge"):
        name = {"arc_easy": "Easy", "arc_challenge": "Challenge"}[task]
        splits = {split: arc_rows(data / f"arc/ARC-{name}-{split.title()}.jsonl") for split in ("train", "test")}
        return Source(f"arc/{task}.yaml", splits, "validation_split: null\n")
    if task == "piqa":
        splits = {"train": piqa_rows(data / "piqa/train_first500.jsonl"), "validation": piqa_rows(data / "piqa/valid.jsonl")}
        return Source("piqa/piqa.yaml", splits)
    if task == "winogrande":
        splits = {"train": read_lines(data / "winogrande/train_s.jsonl"), "validation": read_lines(data / "winogrande/dev.jsonl")}
        return Source("winogrande/default.yaml", splits)
    if task == "lambada_openai":
        splits = {"test": read_lines(data / "lambada/lambada_test_openai.jsonl")}
        # Named, so that lm_eval takes a document out of its own examples.
        return Source("lambada/lambada_openai.yaml", splits, "fewshot_split: test\n")
    return hellaswag_source(data)


def hellaswag_source(data: Path) -> Source:
    """The publisher's rows, which lm_eval cleans up; else rows that are what it makes of them."""
    from lm_eval.tasks.hellaswag.utils import preprocess

    raw = data / "hellaswag_val.jsonl"
    if raw.exists():
        return Source("hellaswag/hellaswag.yaml", {"validation": read_lines(raw)}, "training_split: null\n")
    rows = read_lines(data / "hellaswag/hellaswag_val_rebuilt.jsonl")
    examples = read_lines(data / "hellaswag/hellaswag_train_first500.jsonl")
    train = [
        {
            "query": preprocess(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"),
            "choices": [preprocess(ending) for ending in row["endings"]],
            "label": row["label"],
        }
        for row in examples
    ]
    validation = [{"query": row["query"], "choices": row["choices"], "label": row["gold"]} for row in rows]
    return Source("hellaswag/hellaswag.yaml", {"train": train, "validation": validation}, "process_docs: null\n")


def write_task(task: str, data: Path, folder: Path) -> str:
    """Writes a task file that includes lm_eval's own and reads local rows; returns its name."""
    import lm_eval.tasks

    source = source_of(task, data)
    files = {}
    for split, rows in source.splits.items():
        path = folder / f"{task}.{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        files[split] = str(path)
    name = f"local_{task}"
    (folder / f"{name}.yaml").write_text(
        f"include: {Path(lm_eval.tasks.__file__).parent / source.include}\n"
        f"task: {name}\ntag: null\ndataset_path: json\ndataset_name: null\n"
        f"dataset_kwargs: {{data_files: {json.dumps(files)}}}\n"
        f"fewshot_config: {{sampler: first_n}}\n{source.changes}"
    )
    return name


# ---- lm_eval's side


def sentence_piece_lm(model_dir: Path, batch_size: int, max_length: int):
    """lm_eval's HFLM, with SentencePiece's own ids: a converted tokenizer has others."""
    import sentencepiece
    import tokenizers
    from hugging_face import mamba_from_state_spaces
    from lm_eval.models.huggingface import HFLM
    from transformers import PreTrainedTokenizerFast

    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_dir / "tokenizer.model"))

    class SentencePieceLM(HFLM):
        prefix_token_id = processor.eos_id()

        def tok_encode(self, string: str, **_ignored: object) -> list[int]:
            return processor.encode(string)

    # HFLM asks for a tokenizer of transformers'; none of its ids are used.
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"</s>": 0}, unk_token="</s>"))
    unused = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", pad_token="</s>")
    return SentencePieceLM(
        pretrained=mamba_from_state_spaces(model_dir),
        tokenizer=unused,
        batch_size=batch_size,
        max_length=max_length,
        device="cpu",
    )


def lm_eval_samples(lm, name: str, shots: int, limit: int | None, folder: Path) -> list[dict]:
    """For every document, in order, its scores and metrics."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    results = simple_evaluate(
        model=lm,
        tasks=[name],
        num_fewshot=shots,
        limit=limit,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
        verbosity="ERROR",
    )
    return sorted(results["samples"][name], key=lambda sample: sample["doc_id"])


# ---- our side and the comparison


def simba_documents(program: Path, arguments: list[str], folder: Path) -> tuple[dict, dict]:
    """results.json's documents by task, and its rows' metrics by task."""
    command = [str(program), "tasks", "--retention", "1", "--out", str(folder / "out"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    results = json.loads((folder / "out/results.json").read_text())
    documents = {key.split(",")[0]: value for key, value in results["documents"].items()}
    return documents, {row["task"]: row["metrics"] for row in results["rows"]}


@dataclass
class Comparison:
    task: str
    documents: int
    likelihoods: int
    farthest: float
    different: int  # predictions, over all metrics
    excused: int  # of them, those of a near-tie
    metrics: float  # farthest of a metric's value, relative for perplexity

    def passed(self) -> bool:
        equal = self.different == self.excused
        return self.documents > 0 and equal and self.farthest <= LIKELIHOOD_TOLERANCE

    def row(self) -> str:
        return (
            f"{self.task:<16}{self.documents:>10}{self.likelihoods:>13}{self.farthest:>13.2e}"
            f"{self.different:>11}{self.excused:>9}{self.metrics:>11.2e}  {'ok' if self.passed() else 'DIFFERENT'}"
        )


HEADER = f"{'task':<16}{'documents':>10}{'likelihoods':>13}{'farthest':>13}{'different':>11}{'excused':>9}{'metric':>11}"


def best_and_margin(values: list[float]) -> tuple[int, float]:
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    return order[0], values[order[0]] - values[order[1]]


def compare(task: str, ours: list[dict], theirs: list[dict], metrics: dict) -> Comparison:
    if len(ours) != len(theirs):
        sys.exit(f"{task}: expected {len(theirs)} documents, as lm_eval has, got {len(ours)}")
    result = Comparison(task, len(ours), 0, 0.0, 0, 0, 0.0)
    for our, their in zip(ours, theirs, strict=True):
        scores = [(float(value), str(greedy) == "True") for value, greedy in their["filtered_resps"]]
        likelihoods = our["log_likelihoods"][0]
        if len(likelihoods) != len(scores):
            sys.exit(f"{task} {our['line']}: expected {len(scores)} choices, as lm_eval has, got {len(likelihoods)}")
        result.likelihoods += len(scores)
        pairs = list(zip(likelihoods, scores, strict=True))
        result.farthest = max(result.farthest, *(abs(a - b) for a, (b, _) in pairs))
        if "gold" not in our:
            result.different += our["greedy"][0][0] != scores[0][1]
            continue
        for lengths in ([1] * len(scores), our["characters"]):
            per_length = [value / length for value, length in zip(likelihoods, lengths, strict=True)]
            expected = [value / length for (value, _), length in zip(scores, lengths, strict=True)]
            best, margin = best_and_margin(per_length)
            if best != best_and_margin(expected)[0]:
                result.different += 1
                result.excused += margin < NEAR_TIE
        if "acc" in their:  # lm_eval's own verdict, from its own lengths
            best = best_and_margin(likelihoods)[0]
            result.different += (best == our["gold"]) != bool(their["acc"]) and best_and_margin(likelihoods)[1] >= NEAR_TIE
        if "acc_norm" in their:
            best, margin = best_and_margin([v / n for v, n in zip(likelihoods, our["characters"], strict=True)])
            result.different += (best == our["gold"]) != bool(their["acc_norm"]) and margin >= NEAR_TIE
    result.metrics = farthest_metric(metrics, theirs)
    return result


def farthest_metric(metrics: dict, theirs: list[dict]) -> float:
    """Our means beside those of lm_eval's per-document values."""
    farthest = 0.0
    for name, metric in metrics.items():
        mean = sum(float(sample[name]) for sample in theirs) / len(theirs)
        if name == "perplexity":
            farthest = max(farthest, abs(metric["value"] / math.exp(-mean) - 1))
        else:
            farthest = max(farthest, abs(metric["value"] - mean))
    return farthest


def run(
    program: Path,
    model: Path,
    data: Path,
    tasks: list[str],
    *,
    shots: int = 0,
    limit: int | None = None,
    batch: int = 32,
    max_length: int = 2048,
) -> list[Comparison]:
    lm = sentence_piece_lm(model, batch, max_length)
    comparisons = []
    for task in tasks:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
            name = write_task(task, data, folder)
            arguments = ["--model", str(model), "--data", str(data), "--tasks", task]
            arguments += ["--shots", str(shots), "--max-length", str(max_length)]
            arguments += ["--limit", str(limit)] if limit else []
            documents, metrics = simba_documents(program, arguments, folder)
            samples = lm_eval_samples(lm, name, shots, limit, folder)
            comparisons.append(compare(task, documents[task], samples, metrics[task]))
        print(f"{task}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return comparisons


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True, help="simba-eval")
    parser.add_argument("--model", type=Path, required=True, help="a state-spaces folder with a SentencePiece tokenizer")
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmarks")
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma list")
    parser.add_argument("--shots", type=int, default=0, help="first_n examples")
    parser.add_argument("--limit", type=int, help="only the first documents of each task")
    parser.add_argument("--max-length", type=int, default=2048, help="longest input in tokens")
    parser.add_argument("--batch", type=int, default=32, help="lm_eval's batch size")
    options = parser.parse_args()
    tasks = options.tasks.split(",")
    for task in tasks:
        if task not in TASKS:
            print(f"--tasks: expected some of {', '.join(TASKS)}, got {task!r}", file=sys.stderr)
            return 2
    comparisons = run(
        options.program,
        options.model,
        options.data,
        tasks,
        shots=options.shots,
        limit=options.limit,
        batch=options.batch,
        max_length=options.max_length,
    )
    print(HEADER)
    for comparison in comparisons:
        print(comparison.row())
    return 0 if all(comparison.passed() for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
