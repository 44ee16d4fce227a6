"""What transformers and huggingface_hub are told before they are imported."""

from __future__ import annotations

import os


def load_from_this_machine_only() -> None:
    """No hub is asked, and the terminal stays the command's: no bars, no advice to programmers."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
