"""What a training finds in the machine below it: cores, and arithmetic of half the length."""

from __future__ import annotations

import os

import torch


def use_all_cores() -> None:
    """Those that this process may run on: torch's own guess does not know of limits."""
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def has_fast_bfloat16() -> bool:
    """Whether autocast saves time: on a GPU, and on CPUs with instructions for it (1.8 times, 2.5M parameters)."""
    capabilities = torch.cpu.get_capabilities()
    return torch.cuda.is_available() or any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
