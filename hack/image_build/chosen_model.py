"""A model of the user's own for the demo, named by COUNCIL_DEMO_MODEL."""

import stat
from pathlib import Path

from clusters.errors import Refusal

MODEL_VARIABLE = "COUNCIL_DEMO_MODEL"


def check_model_folder(folder: Path) -> Path:
    """Return the folder when vLLM can serve it as another user.

    Raises:
        Refusal: it is no folder in the format of Hugging Face, or others can't read it.
    """
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise Refusal(
            f"{MODEL_VARIABLE} names '{folder}', which lacks config.json or *.safetensors.",
            "Name a folder as Hugging Face's hub has it, for example a download of Qwen/Qwen3-0.6B.",
        )
    for path in (folder, *folder.iterdir()):
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        if path.stat().st_mode & wanted != wanted:
            raise Refusal(
                f"'{path}' can't be read by other users, and the model server runs as one.",
                f"chmod -R o+rX '{folder}'",
            )
    return folder.resolve()
