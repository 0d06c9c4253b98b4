"""The texts that ship with the package, read once when it is imported."""

from importlib.resources import files
from string import Template

from deliberation.api.v1alpha1.council import RolePreset
from deliberation.prompts.control_tokens import defuse

_PACKAGE = files("deliberation.prompts")

_TEMPLATES = {
    name: Template((_PACKAGE / "templates" / f"{name}.txt").read_text(encoding="utf-8").strip())
    for name in (
        *("shared", "text", "choice", "number", "quantity", "boolean", "json"),
        *("propose", "critique", "revision", "debate", "layer", "ballot", "decisions", "score", "repair", "synthesis"),
    )
}

_ROLES = {
    preset.value: (_PACKAGE / "roles" / f"{preset.value.lower()}.txt").read_text(encoding="utf-8").strip()
    for preset in RolePreset
}


def render(template: str, **values: str) -> str:
    """Return the named template with its values filled in, once: a placeholder or a control token in one stays text."""
    return _TEMPLATES[template].substitute({name: defuse(value) for name, value in values.items()})


def find_preset(role: str) -> str | None:
    """Return the instructions that ship for the role, or None when it is no preset."""
    return _ROLES.get(role)
