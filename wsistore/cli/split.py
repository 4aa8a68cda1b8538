"""``wsistore split``: who trains, who validates, who tests, and who teaches without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsistore.cli.options import store_argument
from wsistore.errors import UsageError
from wsistore.slides import EXCLUDE_FLAG, MERGE_FLAG, parse_classes

if TYPE_CHECKING:
    from wsistore.storage import StoreRoot


@click.command("split")
@store_argument
@click.option("--name", help="The split's name; with --check, every split if it is left out.")
@click.option("--fractions", metavar="T/V/T",
              help="Percent of each class for train/val/test.  [default: 70/15/15]")  # fmt: skip
@click.option("--counts", metavar="T/V/T", help="Patients of each class for train/val/test.")
@click.option("--patients-per-class", type=click.IntRange(1), metavar="N",
              help="Share out N patients of each class.  [default: all]")  # fmt: skip
@click.option("--dev", type=click.IntRange(1), metavar="N",
              help="N patients of each class apart, as subset dev.")  # fmt: skip
@click.option("--aux", metavar="N,N,…",
              help="Patients of nested unlabelled sets ADv1, ADv2, …, of the rest.")  # fmt: skip
@click.option("--labeled-patients", metavar="N,N,…",
              help="Nested labelled sets L5, L10, … of N training patients.")  # fmt: skip
@click.option("--labeled-draws", type=click.IntRange(1), metavar="D",
              help="Draw those D times: L5, L5-1, …, L5-(D-1).  [default: 1]")  # fmt: skip
@click.option("--folds", type=click.IntRange(2), metavar="K",
              help="K-fold: splits NAME-0 to NAME-(K-1), each tests on another.")  # fmt: skip
@click.option("--repeats", type=click.IntRange(1), metavar="R",
              help="Deal the folds R times: NAME-r0-0 to NAME-r(R-1)-(K-1).")  # fmt: skip
@click.option("--by-site", is_flag=True,
              help="Each fold tests on one site (a hospital) of the labels table.")  # fmt: skip
@click.option("--no-val", is_flag=True, help="With --folds or --by-site: no fold validates.")
@click.option("--seed", type=int, help="Another seed, another split.  [default: 0]")
@click.option("--exclude-class", "exclude", multiple=True, metavar="NAME",
              help="Leave the crops of this class out; may be repeated.")  # fmt: skip
@click.option("--merge", multiple=True, metavar="A+B=C",
              help="Take classes together as one; may be repeated.")  # fmt: skip
@click.option("--from-csv", type=click.Path(path_type=Path), metavar="FILE",
              help="Your own split: crop, slide or patient, and subset.")  # fmt: skip
@click.option("--extend", is_flag=True, help="Take in what was added since; no patient moves.")
@click.option("--into", metavar="NAME", help="With --extend: keep the old split, write this one.")
@click.option("--check", is_flag=True, help="Name the faults of splits; write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace a split of that name.")
@click.pass_context
def split_command(
    ctx: click.Context,
    /,
    store: StoreRoot,
    name: str | None,
    from_csv: Path | None,
    extend: bool,
    into: str | None,
    check: bool,
    exclude: tuple[str, ...],
    merge: tuple[str, ...],
    overwrite: bool,
    **asked: Any,
) -> None:
    """Split the patients of STORE, stratified by class.

    All crops of a patient fall into one subset. The same seed gives the same split, whatever the
    order of slides. Crops without a label are left out, except of --aux, which uses no label.

    \b
    Examples:
      wsistore split store --name main
      wsistore split store --name no-val --fractions 80/0/20 --seed 3
      wsistore split hospital-b --name main --fractions 0/0/100
      wsistore split store --name celiac --patients-per-class 100 --dev 20 --aux 300,1004
      wsistore split store --name curve --labeled-patients 5,10,20,40 --labeled-draws 3
      wsistore split store --name cv --folds 5
      wsistore split store --name cv --folds 5 --repeats 3
      wsistore split store --name hospitals --by-site
      wsistore split store --name lung --exclude-class benign --merge papillary+lepidic=other
      wsistore split store --name ours --from-csv ours.csv
      wsistore split store --name main --extend
      wsistore split store --check
      wsistore split s3://bucket/store --name main
    """
    request_flags = [
        f"--{key.replace('_', '-')}"
        for key, value in asked.items()
        if not (value is None or value is False)
    ]
    kinds = {"--extend": extend, "--from-csv": from_csv is not None and not check, "--check": check}
    chosen = [flag for flag, given in kinds.items() if given]
    if from_csv is not None and not check and asked["labeled_patients"] is not None:
        with_csv = {"--labeled-patients", "--labeled-draws", "--seed"}
        request_flags = [flag for flag in request_flags if flag not in with_csv]
    if len(chosen) > 1 or (chosen and request_flags):
        raise UsageError(f"{' and '.join([*chosen, *request_flags])} do not go together")
    mapped = [flag for flag, given in ((EXCLUDE_FLAG, exclude), (MERGE_FLAG, merge)) if given]
    if mapped and (extend or (check and from_csv is None)):
        raise UsageError(
            f"{' and '.join(mapped)} do not go with {chosen[0]}: a split keeps the classes that it "
            "was made with"
        )
    if overwrite and (check or extend):
        raise UsageError(f"--overwrite has no meaning with {chosen[0]}")
    if into is not None and not extend:
        raise UsageError("--into needs --extend")
    # imported here: what reads tables takes a second, and help reads none
    from wsistore.cli import split_actions as actions
    from wsistore.store import Store

    opened = Store(store)
    known = {str(label) for label in opened.crops["label"].dropna()} if mapped else set()
    classes = parse_classes(exclude, merge, known, opened.url)
    if check:
        ctx.exit(actions.check(opened, name, from_csv, classes))
    if name is None:
        raise UsageError("--name is missing; give the split a name")
    if extend:
        actions.extend(opened, name, into or name)
    elif from_csv:
        actions.take_over(opened, name, from_csv, asked, classes, overwrite)
    else:
        actions.make(opened, name, asked, classes, overwrite)
