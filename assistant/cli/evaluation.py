"""`assistant eval`, `eval --compare` and `eval tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from assistant.cli.context import note, of, print_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Sample = Annotated[
    int | None, typer.Option("--sample", min=1, metavar="N", help="Only N questions a set, always the same ones.")
]


class DefaultCommand(TyperGroup):
    """`eval data/eval` is `measure` without its name; `eval tune …` is another command."""

    default_command = "measure"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - its class is private
        is_named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if is_named else [self.default_command, *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """(name, command, arguments); the default one is shown without its name."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == self.default_command else name), command, rest


evaluation = typer.Typer(cls=DefaultCommand, help="Measure retrieval on labelled questions; `eval tune` sets it.")


def register(app: typer.Typer) -> None:
    app.add_typer(evaluation, name="eval")


@evaluation.command("measure", hidden=True)
def measure(
    context: typer.Context,
    dataset: Annotated[
        Path | None,
        typer.Argument(help="A set (questions.jsonl, and corpus.jsonl if it has its own), or a folder of sets."),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A.json B.json", help="Two results: is B worse than A beyond noise?"),
    ] = None,
    sample: Sample = None,
    as_json: Json = False,
) -> None:
    """Measure retrieval and refusals on a labelled set. Example: `assistant eval data/eval`

    A regression gate: `assistant eval --compare before.json after.json`, results of `--json`; exit code 1 if worse.

    Better settings: `assistant eval tune --help`.
    """
    if (dataset is None) == (compare is None):
        raise typer.BadParameter("give a folder with questions.jsonl, or two results with --compare")
    if compare is not None:
        _compare(*compare, as_json)
        return
    assert dataset is not None
    from assistant.evaluation.report import print_result, print_results
    from assistant.evaluation.run import evaluate

    result = evaluate(of(context).settings(), dataset, sample=sample)
    if as_json:
        print_json(result)
    elif isinstance(result, list):
        print_results(result)
    else:
        print_result(result)


def _compare(first: Path, second: Path, as_json: bool) -> None:
    from assistant.evaluation.compare import compare
    from assistant.evaluation.report import print_comparison

    found = compare(first, second)
    if as_json:
        print_json(found.as_json())
    else:
        print_comparison(found)
    if found.is_worse:
        raise typer.Exit(1)


@evaluation.command("followups")
def followups(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A set of follow-up questions.")] = Path("data/eval/followups.jsonl"),
    part: Annotated[str, typer.Option("--part", help="develop, held-out or all.")] = "all",
    as_json: Json = False,
) -> None:
    """Measure what is found for follow-up questions: as typed, made whole by the rule and by the model, and written out.

    Example: `assistant eval followups`
    """
    from assistant.evaluation.followups import evaluate_followups, print_followups

    result = evaluate_followups(of(context).settings(), file, part=part)
    if as_json:
        print_json(result)
    else:
        print_followups(result)


@evaluation.command("claims")
def claims(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A set of labelled sentences.")] = Path("data/eval/claims.jsonl"),
    part: Annotated[str, typer.Option("--part", help="develop, held-out or all.")] = "all",
    as_json: Json = False,
) -> None:
    """Measure the mark "no source supports this" on labelled sentences. Example: `assistant eval claims`"""
    from assistant.evaluation.supported import evaluate_claims, print_claims

    result = evaluate_claims(of(context).settings(), file, part=part)
    if as_json:
        print_json(result)
    else:
        print_claims(result)


@evaluation.command("tune")
def tune(
    context: typer.Context,
    datasets: Annotated[list[Path], typer.Argument(help="Labelled sets, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.yaml", help="Where the proposal goes; by default storage/eval."),
    ] = None,
    chunking: Annotated[
        bool, typer.Option("--chunking", help="Also try chunk sizes and overlaps; each is indexed apart.")
    ] = False,
    sample: Sample = None,
    as_json: Json = False,
) -> None:
    """Search better retrieval settings, on half of each set's questions, and report them on the other half.

    Nothing is changed: it writes a proposal. Example: `assistant eval tune data/eval --out /tmp/proposal.yaml`
    """
    from assistant.evaluation.proposal import print_tuning, write_proposal
    from assistant.evaluation.tune import tune

    settings = of(context).settings()
    found = tune(settings, datasets, chunking=chunking, sample=sample)
    file = write_proposal(found, out or settings.storage.path / "eval" / "proposal.yaml")
    if as_json:
        print_json(found.as_json() | {"proposal": str(file)})
    else:
        print_tuning(found)
        note(f"The proposal is in {file}; nothing was changed.")
