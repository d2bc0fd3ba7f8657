"""The device under test: what it is, and the ceilings that it reaches in this very run."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.compare.timing import Spread, graph_clock, loop_clock

# Of the exponential unit, the same on every architecture from sm_75 to sm_100.
EXPONENTIALS_PER_CLOCK = 16
# float32 multiply-adds per clock and multiprocessor; 128 elsewhere.
LANES = {(7, 5): 64, (8, 0): 64}


@dataclass(frozen=True)
class Ceilings:
    """copy: bytes a second, read and written counted both, of a copy far larger than any cache.
    products: FLOP a second of a large square matrix product, by type.
    exponentials, float32: what the units can do in a second at the device's highest clock; on a CPU
    float32 is the product's measured rate and exponentials are not bounded.
    """

    copy: float
    products: dict[str, float]
    exponentials: float | None
    float32: float


@dataclass(frozen=True)
class Machine:
    """cache: bytes of the last-level cache. clock: Hz, the highest of a GPU."""

    device: str
    name: str
    multiprocessors: int
    clock: float | None
    cache: int
    torch: str
    cuda: str | None
    ceilings: Ceilings

    @property
    def is_gpu(self) -> bool:
        return self.device == "cuda"

    def where(self) -> torch.device:
        return torch.device(self.device)


def describe(device: str, quick: bool) -> Machine:
    """Measures for about a second on a GPU."""
    return _gpu() if device == "cuda" else _cpu(quick)


def _gpu() -> Machine:
    properties = torch.cuda.get_device_properties(0)
    clock = _highest_clock()
    lanes = LANES.get((properties.major, properties.minor), 128)
    per_second = properties.multi_processor_count * clock
    return Machine(
        device="cuda",
        name=properties.name,
        multiprocessors=properties.multi_processor_count,
        clock=clock,
        cache=properties.L2_cache_size,
        torch=torch.__version__,
        cuda=torch.version.cuda,
        ceilings=Ceilings(
            copy=_gpu_copy(),
            products={
                name: _gpu_product(getattr(torch, name))
                for name in ("bfloat16", "float16", "float32")
            },
            exponentials=EXPONENTIALS_PER_CLOCK * per_second,
            float32=2 * lanes * per_second,
        ),
    )


def _highest_clock() -> float:
    """Hz of the first visible GPU's multiprocessors, from the driver (torch does not always know)."""
    driver, device, kilohertz = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), ctypes.c_int()
    clock_rate = 13  # CU_DEVICE_ATTRIBUTE_CLOCK_RATE
    for status in (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDeviceGetAttribute(ctypes.byref(kilohertz), clock_rate, device),
    ):
        if status != 0:
            raise RuntimeError(f"the CUDA driver answered with error {status}")
    return kilohertz.value * 1e3


def _gpu_copy() -> float:
    size = min(2**31, torch.cuda.mem_get_info()[0] // 8)
    source = torch.empty(size, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    # Not from a graph, whose copies reach two thirds of a stream's bandwidth.
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def clock() -> float:
        begin.record()
        for _ in range(4):
            target.copy_(source)
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3 / 4

    return 2 * size / _median(clock, 9)


def _gpu_product(dtype: torch.dtype) -> float:
    n = 8192 if dtype != torch.float32 else 4096
    a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
    return 2 * n**3 / _median(graph_clock([lambda: a @ b] * 2), 9)


def _cpu(quick: bool) -> Machine:
    size = 2**26 if quick else 2**28
    source = torch.ones(size, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = 2 * size / _median(loop_clock([lambda: target.copy_(source)], 0.05), 5)
    n = 512 if quick else 2048
    products = {}
    for name in ("float32", "bfloat16"):
        a, b = (torch.randn(n, n).to(getattr(torch, name)) for _ in range(2))
        seconds = _median(loop_clock([lambda a=a, b=b: a @ b], 0.05), 5)
        products[name] = 2 * n**3 / seconds
    return Machine(
        device="cpu",
        name=_cpu_name(),
        multiprocessors=torch.get_num_threads(),
        clock=None,
        cache=_cpu_cache(),
        torch=torch.__version__,
        cuda=None,
        ceilings=Ceilings(
            copy=copy, products=products, exponentials=None, float32=products["float32"]
        ),
    )


def _cpu_cache() -> int:
    """Bytes of the largest cache that Linux lists; 32 MiB where it lists none."""
    listed = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    sizes = [int(text[:-1]) * 1024 for path in listed if (text := path.read_text().strip())[-1] == "K"]
    return max(sizes, default=2**25)


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _median(clock, repeats: int) -> float:
    clock()
    return Spread.of([clock() for _ in range(repeats)]).median
