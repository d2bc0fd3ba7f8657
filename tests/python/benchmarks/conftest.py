"""Makes the benchmarks, which are in the source tree alone, and the helpers beside this file importable."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parent)]
