"""A LoRA adapter made by hand: small, strong, the same each time. It teaches the model nothing, but makes it differ."""

import json
import random
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

RANK = 4
STRENGTH = 0.5
"""Standard deviation of its numbers: enough to change what the model says, whatever it is asked."""

_PROJECTION = "mlp.down_proj"


def write_adapter(folder: Path, base_model: Path) -> None:
    """Write an adapter of the base model's MLPs, as PEFT saves one, readable for a server that is another user."""
    shape = json.loads((base_model / "config.json").read_text())
    folder.mkdir(parents=True)
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model.name,
        "r": RANK,
        "lora_alpha": RANK,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": [_PROJECTION.rpartition(".")[2]],
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    matrices = dict(_matrices(shape["num_hidden_layers"], shape["intermediate_size"], shape["hidden_size"]))
    (folder / "adapter_model.safetensors").write_bytes(_as_safetensors(matrices))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _matrices(layers: int, inner: int, outer: int) -> Iterator[tuple[str, tuple[tuple[int, int], bytes]]]:
    """Yield the two factors of each layer's change, with their shapes."""
    draw = random.Random(7)  # noqa: S311 - numbers that are the same each time, no secret
    for layer in range(layers):
        for factor, rows, columns in (("lora_A", RANK, inner), ("lora_B", outer, RANK)):
            name = f"base_model.model.model.layers.{layer}.{_PROJECTION}.{factor}.weight"
            numbers = array("f", (draw.gauss(0, STRENGTH) for _ in range(rows * columns)))
            yield name, ((rows, columns), numbers.tobytes())


def _as_safetensors(matrices: dict[str, tuple[tuple[int, int], bytes]]) -> bytes:
    """Return a file in the format of safetensors: the length of the header, the header in JSON, the numbers."""
    header, begin = {}, 0
    for name, (shape, content) in matrices.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, begin + len(content)]}
        begin += len(content)
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + b"".join(content for _, content in matrices.values())
