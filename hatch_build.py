"""Puts configs, pipelines, prompts, the sample and the model into the wheel; an editable install is the checkout."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("configs", "pipelines", "prompts", "data/docs", "data/eval", "data/models/static-bilingual")


class ShippedFiles(BuildHookInterface):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update({folder: f"assistant/shipped/{folder}" for folder in SHIPPED})
