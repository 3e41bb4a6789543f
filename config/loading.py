"""From a settings file to validated settings: YAML, then the environment, then secrets; every mistake with its dotted field.

Environment overlay: CAUSEWAY__ODOO__URL=... sets odoo.url (two underscores between levels, any case).
Secrets: a field of type secret must be ``{env: NAME}`` or ``{file: PATH}``, or come from the overlay; never plain in the file.
Relative paths are taken from the settings file's folder. `policies` names a file of its own, which is read into its place.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.errors import CausewayError, ErrorKind
from config.settings import Settings

ENV_PREFIX = "CAUSEWAY__"
DEFAULT_FILE = Path("causeway.yaml")
_SECRETS = ("password", "api_key")
_PATHS = (("warehouse", "path"), ("warehouse", "extracts"), ("run_dir",))


class SettingsError(CausewayError):
    """The settings are wrong; `problems` holds one line a mistake, each beginning with its dotted field."""

    def __init__(self, problems: list[str], file: Path) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = len(problems)
        text = f"{file}: {count} mistake{'s' if count > 1 else ''} in the settings:\n{lines}"
        super().__init__(ErrorKind.SETTINGS, text, file=file)
        self.problems = problems


class _Overlaid(Settings, BaseSettings):
    """Settings with the environment laid over what the file says."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__", case_sensitive=False
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes all five by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_settings(file: Path) -> Settings:
    """Return the settings of `file` with the environment laid over; SettingsError lists every mistake at once."""
    tree = _read_yaml(file)
    problems: list[str] = []
    _resolve_secrets(tree, "", file.parent, problems)
    _absolute_paths(tree, file.resolve().parent)
    _read_policies(tree, file.parent, problems)
    problems += _unknown_variables(os.environ)
    settings = None
    try:
        settings = _Overlaid(**tree)
    except ValidationError as error:
        problems += [_describe(problem) for problem in error.errors() if not _already_told(problem, problems)]
    if problems or settings is None:
        raise SettingsError(problems, file)
    return settings


def _read_policies(tree: dict[str, Any], folder: Path, problems: list[str]) -> None:
    """Put what the file of policies says in the place of its name."""
    name = tree.get("policies")
    if name is None:
        tree.pop("policies", None)
    elif isinstance(name, str):
        try:
            tree["policies"] = _read_yaml(folder / name)
        except SettingsError as error:
            problems += [f"policies: {name}: {problem}" for problem in error.problems]
            del tree["policies"]
    else:
        problems.append("policies: must be the path of a file")
        del tree["policies"]


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(["the file does not exist; give it with --config FILE"], file) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"cannot be read: {error}"], file) from error
    except yaml.YAMLError as error:
        raise SettingsError([f"is not YAML: {' '.join(str(error).split())}"], file) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(["must be a mapping of settings at its top level"], file)
    return {key: _unshared(value) for key, value in tree.items()}


def _unshared(node: Any) -> Any:
    """Copy what an anchor lets several places share: secrets are put in at each."""
    if isinstance(node, dict):
        return {key: _unshared(value) for key, value in node.items()}
    return [_unshared(item) for item in node] if isinstance(node, list) else node


def _resolve_secrets(node: Any, path: str, folder: Path, problems: list[str]) -> None:
    """Replace each ``{env: NAME}`` or ``{file: PATH}`` of a secret by its value."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            _resolve_secrets(item, f"{path}.{index}", folder, problems)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        here = f"{path}.{key}".lstrip(".")
        if key not in _SECRETS:
            _resolve_secrets(value, here, folder, problems)
        elif value is not None:
            node[key] = _secret(value, here, folder, problems)


def _secret(value: Any, path: str, folder: Path, problems: list[str]) -> str | None:
    match value:
        case {"env": str(name), **rest} if not rest:
            if name not in os.environ:
                problems.append(f"{path}: the environment has no variable {name}")
            return os.environ.get(name)
        case {"file": str(name), **rest} if not rest:
            try:
                return (folder / name).read_text(encoding="utf-8").strip()
            except OSError as error:
                problems.append(f"{path}: the secret's file cannot be read: {error}")
                return None
    problems.append(f"{path}: a secret must not stand in the file; write {{env: NAME}} or {{file: PATH}}")
    return None


def _absolute_paths(tree: dict[str, Any], folder: Path) -> None:
    """Take relative paths from the settings file's folder, not from where the command happens to run."""
    for *parents, name in _PATHS:
        node: Any = tree
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if isinstance(node, dict) and isinstance(node.get(name), str):
            node[name] = str(folder / node[name])
    if isinstance(tree.get("mappings"), list):
        tree["mappings"] = [str(folder / item) if isinstance(item, str) else item for item in tree["mappings"]]


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A misspelt overlay would be ignored in silence: name every variable that sets nothing."""
    return [
        f"{name}: this environment variable sets nothing; known are {ENV_PREFIX}{{{','.join(_top_fields())}}}"
        for name in sorted(environment)
        if name.upper().startswith(ENV_PREFIX) and name[len(ENV_PREFIX) :].split("__")[0].lower() not in _top_fields()
    ]


def _top_fields() -> list[str]:
    return sorted(Settings.model_fields)


def _already_told(problem: Any, problems: list[str]) -> bool:
    path = ".".join(str(part) for part in problem["loc"])
    return any(line.startswith(f"{path}:") for line in problems)


def _describe(problem: Any) -> str:
    """Return one line for one of pydantic's problems: dotted field, constraint, what was received."""
    path = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        return f"{path}: unknown setting{_suggestion(problem['loc'])}"
    message = problem["msg"].removeprefix("Value error, ")
    received = problem.get("input")
    secret = (
        path.endswith(_SECRETS)
        or path.endswith(".dsn")
        or isinstance(received, dict | list | BaseModel)
        or problem["type"] == "missing"
    )
    return f"{path}: {message[:1].lower()}{message[1:]}" + ("" if secret else f" (received {received!r})")


def _suggestion(location: tuple[int | str, ...]) -> str:
    near = difflib.get_close_matches(str(location[-1]), list(_fields_at(location[:-1])), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _fields_at(location: tuple[int | str, ...]) -> Iterator[str]:
    """Yield the names of the settings that stand where `location` points."""
    model: Any = Settings
    for part in location:
        field = getattr(model, "model_fields", {}).get(part)
        model = _model_of(field.annotation) if field is not None else model
        if field is None and not isinstance(part, int) and not isinstance(model, type):
            return
    yield from getattr(model, "model_fields", {})


def _model_of(annotation: Any) -> Any:
    """Return the model inside an annotation such as dict[str, Model], tuple[Model, ...] or Model | None."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return annotation
