"""What every block of settings is: unknown keys are refused, and nothing is changed afterwards."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
