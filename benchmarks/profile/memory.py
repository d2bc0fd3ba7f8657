"""Peak memory of a prefill on a CPU, beside what it may take; Linux alone.

    python -m benchmarks.profile.memory [--sizes 26m-pg19] [--lengths 2048 32768] [--dtypes float32]
        [--retentions 1 0.1] [--threads 2]

Every case is a process of its own. It loads the model and reads 16 tokens, after which LibTorch, its
threads and the weights are in memory; then the largest resident size (VmHWM) is reset and one prefill
is run. "on top" is what that prefill added, "allowed" is 3 * 4 L 2 d_inner bytes and the logits,
"products alone" what the same matrix products through torch add in another process, whose inputs and
outputs exist before: LibTorch's own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.compare.models import Loaded
from benchmarks.compare.prefill import prefill_products
from benchmarks.compare.random_checkpoint import random_checkpoint
from simba_ssm import Simba

WARM_UP = 16


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["26m-pg19"], help="of configs/models/mamba-SIZE")
    parser.add_argument("--lengths", nargs="+", type=int, default=[2048, 32768])
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--retentions", nargs="+", default=["1", "0.1"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights", type=Path, help="where the random checkpoints are kept")
    options = parser.parse_args(arguments)
    print("| prefill | loaded, MiB | on top | of that, products alone | allowed |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.weights or Path(temporary)
        for size, dtype, length, retention in itertools.product(
            options.sizes, options.dtypes, options.lengths, options.retentions
        ):
            checkpoint = random_checkpoint(f"mamba-{size}", folder)
            case = [str(checkpoint), dtype, str(length), retention, str(options.threads)]
            whole = in_own_process("prefill", case)
            alone = in_own_process("products", case)
            print(f"| {size} (1, {length}), {dtype}, r={retention} | {mib(whole['loaded'])} "
                  f"| {mib(whole['on_top'])} | {mib(alone['on_top'])} | {mib(whole['allowed'])} |",
                  flush=True)  # fmt: skip
    return 0


def mib(bytes: int) -> str:
    return f"{bytes / 2**20:.1f}"


def in_own_process(what: str, case: list[str]) -> dict[str, int]:
    command = [sys.executable, "-m", __spec__.name, "--measure", what, *case]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"memory: {' '.join(case)}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(what: str, folder: str, dtype: str, length: int, retention: str, threads: int) -> None:
    torch.set_num_threads(threads)
    model = Simba.from_pretrained(folder, device="cpu", dtype=getattr(torch, dtype))
    plan = model.make_plan(retention)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.vocab_size, (length,), generator=generator).tolist()
    config = json.loads((Path(folder) / "config.json").read_text())
    loaded = Loaded("", model, config, [])
    model.prefill([ids[:WARM_UP]], plan=plan)
    if what == "prefill":
        run = lambda: model.prefill([ids], plan=plan)  # noqa: E731
    else:
        run = products(loaded, length, plan)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    run()
    allowed = 3 * 4 * length * 2 * 2 * config["d_model"] + 4 * model.vocab_size
    print(json.dumps({"loaded": before, "on_top": status("VmHWM") - before, "allowed": allowed}))


def products(loaded: Loaded, length: int, plan):
    """The prefill's products, into memory that has been written to before."""
    dtype = loaded.model.dtype
    work, places = [], {}
    for product in prefill_products(loaded, [length], plan):
        shapes = {(product.rows, product.inner), (product.outer, product.inner),
                  (product.rows, product.outer)}  # fmt: skip
        for shape in shapes - places.keys():
            places[shape] = torch.ones(shape, dtype=dtype)
        work.append((places[product.rows, product.inner], places[product.outer, product.inner],
                     places[product.rows, product.outer]))  # fmt: skip

    def run() -> None:
        for x, weight, out in work:
            torch.mm(x, weight.t(), out=out)

    return run


def status(field: str) -> int:
    """Bytes, of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"memory: no {field} in /proc/self/status")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        what, folder, dtype, length, retention, threads = sys.argv[2:]
        measure(what, folder, dtype, int(length), retention, int(threads))
    else:
        sys.exit(main(sys.argv[1:]))
