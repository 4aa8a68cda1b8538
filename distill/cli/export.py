"""`distill export`: a run's network as ONNX, checked, with a model card beside it."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distill.cli.options import Grouped, option
from distill.errors import UsageError
from distill.files import encode
from distill.output_folder import lock_output
from wsistore import atomic, terminal

if TYPE_CHECKING:
    from distill.export import onnx_model, parity
    from distill.networks import Classifier
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
    store: str | None,
) -> None:
    """Write the network of RUN as an ONNX file, with a model card in Markdown and JSON.

    The file takes crops of any height and width, and batches of equal ones: image (N, 3, H, W) in;
    logits, probabilities and features out. Classes, level, µm per pixel and more are in its
    metadata. ONNX Runtime must give the logits of torch within 1e-4 at nine sizes, or nothing is
    written.

    \b
    Examples:
      distill export runs/student --onnx
      distill export runs/student --onnx --out student.onnx --store STORE
      distill export runs/student --onnx --input float --out student-float.onnx
    """
    if not as_onnx:
        raise UsageError("say what to export: --onnx")
    from distill.export import card, onnx_model, parity
    from distill.runs import Run

    onnx_model.require()
    run = Run.open(folder)
    out = out or run.path / "model.onnx"
    if out.suffix != ".onnx":
        raise UsageError(f"--out {out} does not end in .onnx")
    # not FILE.json: beside config.onnx that would be the run's own configuration
    page, table = (out.with_name(f"{out.stem}.card.{kind}") for kind in ("md", "json"))
    lock_output(out)
    if not overwrite:
        _require_free(out)
    if run.weights.stains is not None and takes == "uint8":
        raise UsageError(
            f"{run.path} normalizes the stains of every crop ({run.weights.stains.method}), which "
            "an ONNX file cannot: give --input float, and normalize them before"
        )
    network = run.load_network()
    least = onnx_model.least_side(run.weights.spec)
    stderr = terminal.console(stderr=True)
    with stderr.status("exporting"):
        content, differences = _checked(network, run, takes, least)
    described = _card(run, network, store)
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


def _require_free(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} exists; replace it with --overwrite, or choose another --out")


def _checked(
    network: Classifier, run: Run, takes: onnx_model.Takes, least: int
) -> tuple[bytes, list[parity.Difference]]:
    """Return the file's bytes and what was found, if it computes what the network does.

    Raises:
        ExportError: if it does not.
    """
    from distill.export import onnx_model, parity

    exported = onnx_model.Exported(network, run.weights, takes)
    made = onnx_model.convert(exported, least)
    differences = list(parity.compare(onnx_model.encode(made, {}), exported, least))
    return onnx_model.encode(
        made, _metadata(run, takes, least, parity.worst(differences))
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


def _metadata(run: Run, takes: onnx_model.Takes, least: int, difference: float) -> dict[str, str]:
    """Return what a program that has nothing but the file can know."""
    from distill.export import facts

    about = facts.model(run)
    told = {
        "format": "distill-onnx/1",
        "use": "research only",
        "network": about["network"],
        "classes": json.dumps(about["classes"], ensure_ascii=False),
        "level": about["level"],
        "mpp": repr(about["mpp"]),
        "mean": json.dumps(about["mean"]),
        "std": json.dumps(about["std"]),
        "input": "uint8 RGB 0..255" if takes == "uint8" else "float32 (RGB / 255 - mean) / std",
        "least_side": str(least),
        "weights_sha256": about["weights_sha256"],
        "largest_logit_difference": repr(difference),
    }
    if run.weights.stains is not None:
        told["stains"] = json.dumps(run.weights.stains.record())
    return told


def _card(run: Run, network: Classifier, store: str | None) -> dict[str, Any]:
    from distill.export import card, facts

    evaluations, others = facts.evaluations(run)
    return {
        "format": card.FORMAT,
        "model": facts.model(run),
        "data": facts.data(run, store),
        "training": facts.training(run),
        "evaluations": evaluations,
        "evaluations_of_other_weights": others,
        "cost": facts.costs(network),
    }
