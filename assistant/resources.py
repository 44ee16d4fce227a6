"""Where shipped files (configs, pipelines, prompts, sample, bundled model) are found.

A company's own file wins: the working directory is searched first, then what the wheel carries,
then the checkout that this package lies in.
"""

from __future__ import annotations

from pathlib import Path

from assistant.errors import ConfigError

PACKAGE = Path(__file__).resolve().parent


def roots() -> list[Path]:
    """The folders that are searched, in order; the last two are an installed wheel's and a checkout's."""
    found = [Path.cwd(), PACKAGE / "shipped", PACKAGE.parent]
    return list(dict.fromkeys(found))


def locate(relative: str | Path) -> Path | None:
    """The first existing file or folder of that name, or None; an absolute path stands for itself."""
    path = Path(relative).expanduser()
    if path.is_absolute():
        return path if path.exists() else None
    return next((root / path for root in roots() if (root / path).exists()), None)


def require(relative: str | Path, what: str) -> Path:
    """As `locate`, but missing is a `ConfigError` that says which folders were searched."""
    found = locate(relative)
    if found is None:
        searched = ", ".join(str(root) for root in roots())
        raise ConfigError(f"{what} {relative} was not found; searched in {searched}")
    return found


def is_shipped(path: Path) -> bool:
    """Whether the path lies inside the installed package (then it is not the company's own)."""
    return path.resolve().is_relative_to(PACKAGE / "shipped")
