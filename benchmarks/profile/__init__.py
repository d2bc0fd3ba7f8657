"""What bounds each kernel, and where a prefill spends its time: ``python -m benchmarks.profile.ncu`` and
``python -m benchmarks.profile.timeline``.
"""
