"""Weights out of a pickle, by torch's reader that makes tensors and nothing else, kept as safetensors."""

from __future__ import annotations

import json
from pathlib import Path

from assistant.errors import ModelUnavailable


def to_safetensors(pickled: Path) -> None:
    """Replace `pytorch_model*.bin` by `model*.safetensors`, its index too; nothing if that is done already.

    Raises `ModelUnavailable` for one that holds more than weights.
    """
    import torch
    from safetensors.torch import save_file

    if not pickled.is_file():
        return
    refused = torch.serialization.pickle.UnpicklingError  # type: ignore[attr-defined]  # our code imports no pickle
    try:
        found = torch.load(pickled, map_location="cpu", weights_only=True)
        tensors = {str(name): tensor.clone().contiguous() for name, tensor in found.items()}
    except (refused, RuntimeError, AttributeError, EOFError, ValueError) as error:
        raise ModelUnavailable(
            f"{pickled.name} holds more than weights, or is broken ({str(error).splitlines()[0][:120]}): it was not kept"
        ) from error
    target = safe_name(pickled)
    part = target.with_suffix(".part")
    save_file(tensors, part, metadata={"format": "pt"})
    part.replace(target)
    pickled.unlink()
    index = pickled.parent / "pytorch_model.bin.index.json"
    if index.is_file():
        content = json.loads(index.read_text("utf-8"))
        shards = content["weight_map"]
        content["weight_map"] = {name: safe_name(Path(shard)).name for name, shard in shards.items()}
        (pickled.parent / "model.safetensors.index.json").write_text(json.dumps(content), "utf-8")


def safe_name(pickled: Path) -> Path:
    """What a pickle's weights are called as safetensors."""
    return pickled.with_name(pickled.name.replace("pytorch_model", "model").removesuffix(".bin") + ".safetensors")
