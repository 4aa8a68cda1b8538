"""`distill export`: a run's network as ONNX, checked, with a model card beside it."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distill.cli.options import Grouped, option
from distill.cli.views import views_option
from distill.errors import UsageError
from distill.files import encode
from distill.output_folder import lock_output
from wsistore import atomic, terminal

if TYPE_CHECKING:
    from distill.evaluation import Answering
    from distill.export import onnx_model, parity
    from distill.runs import Run


@click.command("export", cls=Grouped)
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@option("Output", "--onnx", "as_onnx", is_flag=True, help="Write ONNX, the only format so far.")
@option(
    "Output",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write, ending in .onnx; the card goes beside it.  [default: RUN/model.onnx]",
)
@option("Output", "--overwrite", is_flag=True, help="Replace the files that exist.")
@option(
    "Output",
    "--input",
    "takes",
    type=click.Choice(["uint8", "float"]),
    default="uint8",
    help="What the network takes: RGB pixels, or what is standardised already.",
)
@views_option("Output")
@option(
    "Card",
    "--store",
    metavar="STORE",
    help="Where the run's store is now, to count patients.  [default: where the run found it]",
)
def command(
    folder: Path,
    as_onnx: bool,
    out: Path | None,
    overwrite: bool,
    takes: onnx_model.Takes,
    views: int | None,
    store: str | None,
) -> None:
    """Write the network of RUN as an ONNX file, with a model card in Markdown and JSON.

    The file takes crops of any height and width, and batches of equal ones: image (N, 3, H, W) in;
    logits, probabilities and features out. Classes, level, µm per pixel and more are in its
    metadata. An ensemble, or several views, become one file, without features. ONNX Runtime must
    give the logits of torch within 1e-4 at nine sizes, or nothing is written.

    \b
    Examples:
      distill export runs/student --onnx
      distill export runs/student --onnx --out student.onnx --store STORE
      distill export runs/five-kd --onnx --views 4
      distill export runs/student --onnx --input float --out student-float.onnx
    """
    if not as_onnx:
        raise UsageError("say what to export: --onnx")
    from distill.evaluation import Answering
    from distill.export import card, onnx_model, parity
    from distill.runs import open_run

    onnx_model.require()
    run = open_run(folder)
    out = out or run.path / "model.onnx"
    if out.suffix != ".onnx":
        raise UsageError(f"--out {out} does not end in .onnx")
    # not FILE.json: beside config.onnx that would be the run's own configuration
    page, table = (out.with_name(f"{out.stem}.card.{kind}") for kind in ("md", "json"))
    lock_output(out)
    if not overwrite:
        _require_free(out)
    _require_exportable(run, takes, several=len(run.members) > 1 or (views or run.views) > 1)
    answering = Answering.load(run, views=views)
    least = max(onnx_model.least_side(one.weights.spec) for one in run.members)
    stderr = terminal.console(stderr=True)
    with stderr.status("exporting"):
        content, differences = _checked(answering, takes, least)
    described = _card(answering, store)
    described["export"] = _export(out, content, takes, least, differences)
    described["intended_use"] = card.intended_use(described)
    described["limits"] = card.limits(described)
    run.require_unchanged()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UsageError(f"{out} cannot be written ({error}); choose another --out") from error
    files = {
        table.name: encode(described),
        page.name: card.render(described).encode(),
        out.name: content,
    }
    if not overwrite:
        for path in (page, table):
            # the model comes last: a card alone, and the same, is what a killed export left
            if not (path.is_file() and path.read_bytes() == files[path.name]):
                _require_free(path)
    # a model that is there belongs to the card beside it
    atomic.write_all(out.parent, files, (out.name,))
    terminal.echo(
        f"{out}: within {parity.worst(differences):.1e} of torch's logits at {len(differences)} "
        f"sizes; {page.name} and {table.name} beside it"
    )
    if reason := described["data"]["subsets_unknown"]:
        text = f"{page}: patients per subset are missing ({reason}); --store STORE names it"
        stderr.print(text)


def _require_exportable(run: Run, takes: onnx_model.Takes, *, several: bool) -> None:
    """Refuse what a file cannot do: `several` networks or views answer."""
    if several and takes == "float":
        raise UsageError(
            f"--input float: {run.path} answers by several networks or views, which standardise "
            "pixels each in its own way; leave it out"
        )
    for one in run.members:
        if one.weights.stains is not None and takes == "uint8":
            way = (
                "leave out such runs"
                if several
                else "give --input float, and normalize them before"
            )
            raise UsageError(
                f"{one.path} normalizes the stains of every crop ({one.weights.stains.method}), "
                f"which an ONNX file cannot: {way}"
            )


def _require_free(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} exists; replace it with --overwrite, or choose another --out")


def _checked(
    answering: Answering, takes: onnx_model.Takes, least: int
) -> tuple[bytes, list[parity.Difference]]:
    """Return the file's bytes and what was found, if it computes what the network does.

    Raises:
        ExportError: if it does not.
    """
    from distill.export import onnx_model, parity

    (member, *others), (network, *_) = answering.run.members, answering.networks
    exported: onnx_model.Exportable
    if others or answering.views > 1:
        exported = onnx_model.ExportedMean(answering)
    else:
        exported = onnx_model.Exported(network, member.weights, takes)
    made = onnx_model.convert(exported, least)
    differences = list(parity.compare(onnx_model.encode(made, {}), exported, least))
    return onnx_model.encode(
        made, _metadata(answering, takes, least, parity.worst(differences))
    ), differences


def _export(
    out: Path,
    content: bytes,
    takes: onnx_model.Takes,
    least: int,
    differences: list[parity.Difference],
) -> dict[str, Any]:
    """Return what the card says of the file, and of how it was checked."""
    import torch

    from distill.export import onnx_model, parity

    return {
        "file": out.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "takes": takes,
        "least_side": least,
        "opset": onnx_model.OPSET,
        "tolerance": parity.TOLERANCE,
        "largest_difference": parity.worst(differences),
        "checked": [list(one) for one in differences],
        "checked_columns": list(parity.Difference._fields),
        "version": version("resolution-distillation"),
        "torch": str(torch.__version__),
    }


def _metadata(
    answering: Answering, takes: onnx_model.Takes, least: int, difference: float
) -> dict[str, str]:
    """Return what a program that has nothing but the file can know."""
    from distill.export import facts

    about = facts.model(answering)
    told: dict[str, str] = {
        "format": "distill-onnx/1",
        "use": "research only",
        "network": about["network"],
        "classes": json.dumps(about["classes"], ensure_ascii=False),
        "level": about["level"],
        "mpp": repr(about["mpp"]),
        **{name: json.dumps(about[name]) for name in ("mean", "std", "answers") if name in about},
        "input": "uint8 RGB 0..255" if takes == "uint8" else "float32 (RGB / 255 - mean) / std",
        "least_side": str(least),
        "weights_sha256": about["weights_sha256"],
        "largest_logit_difference": repr(difference),
    }
    if "stains" in about:
        told["stains"] = json.dumps(about["stains"])
    return told


def _card(answering: Answering, store: str | None) -> dict[str, Any]:
    from distill.export import card, facts

    run = answering.run
    evaluations, others = facts.evaluations(run, answering.views)
    return {
        "format": card.FORMAT,
        "model": facts.model(answering),
        "data": facts.data(run, store),
        "training": facts.training(run),
        "evaluations": evaluations,
        "evaluations_of_other_weights": others,
        "cost": facts.costs(answering),
    }
