"""Runs openapi-python-client's parser over the lifted document."""

from __future__ import annotations

from pathlib import Path

from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError

from .lift import lifted
from .spec import Place, Problem, Spec, SpecError

__all__ = ["CONFIG", "parse"]

CONFIG = Config.from_sources(
    ConfigFile(project_name_override="kantos-async", package_name_override="api"),
    MetaType.NONE,
    document_source=Path(),
    file_encoding="utf-8",
    overwrite=True,
    output_path=Path(),
)


def parse(spec: Spec) -> GeneratorData:
    """Models and endpoints, or everything that the parser had to say against them.

    Raises:
        SpecError: the parser reported anything at all; its warnings mean that a part is left out.
    """
    try:
        data = GeneratorData.from_dict(lifted(spec), config=CONFIG)
    except Exception as error:
        # The parser lets some of its own errors through; they are about the document too.
        raise SpecError([Problem(f"{type(error).__name__}: {error}", Place())]) from error
    if isinstance(data, GeneratorError):
        raise SpecError([_problem(data)])
    tags = data.endpoint_collections_by_tag.values()
    errors = [*data.errors, *(error for tag in tags for error in tag.parse_errors)]
    if errors:
        raise SpecError([_problem(error) for error in errors])
    return data


def _problem(error: GeneratorError) -> Problem:
    return Problem(f"{error.header.strip()} {error.detail or ''}".strip(), Place())
