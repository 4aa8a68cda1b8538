"""The model card: what a network is for, what it learnt from, how good it is, what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distill.evaluation import KINDS, Aggregate, ScoreTable, find_caveats, score_columns
from distill.export.markdown import table, text

FORMAT = "distill-model-card/1"
Card = Mapping[str, Any]


def limits(card: Card) -> list[str]:
    """Return what a user of the network must know, one sentence or two each."""
    model, takes = card["model"], card["export"]
    said = [
        "Research use only. It is no medical device and must not guide the care of a patient.",
        f"It only tells apart {len(model['classes'])} classes. Whatever else it is shown (another "
        "disease, an artefact, no tissue) it calls one of them.",
        f"It is for level {model['level']}, {model['mpp']:.4g} µm per pixel, made from the slide "
        "with Lanczos-3 as wsistore does. At another scale, or of tiles cut from a crop, its "
        "answers mean nothing that was tested.",
        f"Crops have at least {takes['least_side']} pixels a side.",
        "Scores are those of the evaluated cohort. The intervals tell of other patients like "
        "those; they say nothing of other hospitals, scanners or stains.",
        "Probabilities are the softmax of the logits. No temperature is in them.",
    ]
    if told := model.get("answers"):
        said.append(
            f"Its answer is a mean over {_passes(told)}. None of them alone has these scores, and "
            "each crop costs all of them."
        )
    if stains := model.get("stains"):
        said.append(
            f"The stains of every crop must be normalized ({stains['method']}) before it is given "
            "to the network, to the reference below; without that its answers mean nothing that "
            "was tested."
        )
    if told := card["training"]["class_map"]:
        said.append(
            f"Not all labels of its store are classes: {told}. A crop of a class that was left "
            "out is called one of the others."
        )
    if not card["evaluations"]:
        said.append("It has not been evaluated: nobody knows how often it is right.")
    for one in card["evaluations"]:
        where = f"{one['subset']} of split {one['split']}"
        scored = one["crops"]["scored"]
        reasons = find_caveats(
            scored["patients"],
            scored["crops"],
            one["crops"]["bootstrap"]["unit"],
            trained=one["training_patients"],
            chose=one["epoch_patients"],
            draws=_draws(one["crops"]),
        )
        if one["temperature_patients"]:
            said.append(
                f"A temperature was fitted on {one['temperature_patients']} patients of {where}."
            )
        if reasons:
            said.append(f"Scores on {where} are not to be relied on: {'; '.join(reasons)}.")
    return said


def _passes(told: Mapping[str, Any]) -> str:
    """Return how many networks and views answer."""
    members, views = len(told.get("members", ())) or 1, told["views"]
    networks = f"{members} networks" if members > 1 else "one network"
    return f"{networks} and {views} views of a crop" if views > 1 else networks


def _draws(block: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return how many draws of how many define every mean over classes, None if all do."""
    draws = block["macro"]["f1"].get("draws")
    return None if draws is None else (draws, block["bootstrap"]["draws"])


def intended_use(card: Card) -> str:
    """Return what the network is made to do."""
    classes = ", ".join(card["model"]["classes"])
    return (
        f"Research: to classify whole tissue crops of whole-slide images, RGB at level "
        f"{card['model']['level']}, into {classes}."
    )


def render(card: Card) -> str:
    """Return the card as Markdown; every value in it is escaped."""
    lines = [f"# Model card: {text(card['model']['run'])}", ""]
    lines += ["## Intended use", "", text(card["intended_use"]), ""]
    lines += ["## Limits", "", *(f"- {text(one)}" for one in card["limits"]), ""]
    lines += ["## Scores", "", *_evaluations(card)]
    lines += ["## Data", "", *_data(card["data"])]
    lines += ["## Training", "", *_training(card["training"])]
    lines += ["## Cost", "", *_cost(card)]
    lines += ["## Model", "", *_model(card)]
    return "\n".join(lines).rstrip() + "\n"


def _model(card: Card) -> list[str]:
    model, export = card["model"], card["export"]
    pixels = "uint8 RGB pixels, standardised inside"
    features = "" if "answers" in model else ", features (N, C, h, w)"
    if export["takes"] == "float":
        pixels = "float32, (pixel / 255 - mean) / standard deviation"
    if stains := model.get("stains"):
        pixels += f", of pixels whose stains were normalized before ({stains['method']})"
    rows = [
        ("file", export["file"]),
        ("SHA-256 of the file", export["sha256"]),
        ("SHA-256 of the weights", model["weights_sha256"]),
        ("network", model["network"]),
        ("classes, in the order of the outputs", ", ".join(model["classes"])),
        ("input", f"image (N, 3, H, W): {pixels}"),
        ("outputs", f"logits (N, K), probabilities (N, K){features}: float32"),
        ("level", f"{model['level']}, {model['mpp']:.4g} µm per pixel"),
        *_figures(model),
        *_stains(model.get("stains")),
        ("largest difference to torch in a logit", f"{export['largest_difference']:.1e}"),
        ("made by", f"resolution-distillation {export['version']}, torch {export['torch']}"),
    ]
    checked = ", ".join(f"{n} × 3 × {h} × {w}" for n, h, w, *_ in export["checked"])
    return [*table(("what", "value"), rows), f"Checked with ONNX Runtime at {checked}.", ""]


def _figures(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return rows of how pixels are standardised; of several answers, what they are."""
    if told := model.get("answers"):
        rows = [("answer", f"mean of {told['mean']} over {_passes(told)}")]
        for one in told.get("members", ()):
            about = f"{one['network']}, epoch {one['epoch']}, weights {one['weights_sha256']}"
            rows.append((f"member {one['run']}", about))
        return rows
    return [
        (name, ", ".join(f"{value:.6g}" for value in model[key]))
        for name, key in (("mean of R, G, B (1 = 255)", "mean"), ("standard deviation", "std"))
    ]


def _stains(stains: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if stains is None:
        return []
    figures = {name: values for name, values in stains.items() if name != "method"}
    told = "; ".join(
        f"{name} {', '.join(f'{value:.6g}' for value in values)}"
        for name, values in figures.items()
    )
    return [(f"reference of the stains, {stains['method']}", told)]


def _evaluations(card: Card) -> list[str]:
    lines = []
    if not card["evaluations"]:
        lines += ["None: the run holds no evaluation of these weights (`distill evaluate`).", ""]
    if others := card["evaluations_of_other_weights"]:
        lines += [f"Evaluations left out, of other weights or another format: {others}.", ""]
    for one in card["evaluations"]:
        lines += _evaluation(one)
    return lines


def _evaluation(one: Mapping[str, Any]) -> list[str]:
    how = one["crops"]["bootstrap"]
    columns = score_columns(ScoreTable.CARD, [one[kind] for kind in KINDS])
    lines = [
        f"### {text(one['subset'])} of split {text(one['split'])}, store {text(one['store'])}",
        "",
        f"Percent, with {how['confidence']:.0%} intervals: percentile bootstrap over "
        f"{how['unit']}s, {how['draws']:,} draws. Accuracy: share of cases predicted right. F1 and "
        f"AUROC: means over classes, one against the rest.{_aggregated(one['aggregate'])}",
        "",
    ]
    rows: list[tuple[object, ...]] = []
    for kind in KINDS:
        block = one[kind]
        if "overall" not in block:  # none of them has one label
            continue
        values = (percent(score.entry(block)) for score in columns.values())
        rows.append((f"{block['scored'][kind]} {kind}", *values))
    lines += table(("cases", *columns), rows)
    crops = one["crops"]
    of_class = score_columns(ScoreTable.CARD_CLASSES, [crops])
    lines += table(
        ("class, over crops", *of_class),
        [
            (label, *(percent(score.of_class(crops, label)) for score in of_class.values()))
            for label in crops["per_class"]
        ],
    )
    if absent := one["absent_classes"]:
        lines += [f"No case of {text(', '.join(absent))}: left out of the means.", ""]
    if one["calibration"]:
        lines += [
            f"Probabilities were divided by temperature {one['calibration']['temperature']:.4g} "
            f"before scoring, fitted on {text(one['calibration']['subset'])}.",
            "",
        ]
    return lines


def _aggregated(how: str | None) -> str:
    if how is None:
        return ""
    return f" The probability of a slide or patient is {text(Aggregate.parse(how).words)}."


def percent(entry: Mapping[str, Any]) -> str:
    """Return an entry of an evaluation as "value (low–high)" in percent; "–" if not defined."""
    if entry["value"] is None:
        return "–"
    value = f"{100 * entry['value']:.1f}"
    if entry["interval"] is None:
        return f"{value} (no interval)"
    low, high = (f"{100 * end:.1f}" for end in entry["interval"])
    return f"{value} ({low}–{high})"


def _data(data: Mapping[str, Any]) -> list[str]:
    used = data["crops"] or {}
    lines = [
        f"Store {text(data['store'])}, split {text(data['split'])} (SHA-256 "
        f"{text(data['split_sha256'])}). Crops used: "
        + (", ".join(f"{count} {text(name)}" for name, count in used.items()) or "not recorded")
        + ".",
        "",
    ]
    if data["subsets"] is None:
        return [*lines, f"Patients per subset are not known: {data['subsets_unknown']}.", ""]
    rows = []
    for name, subset in data["subsets"].items():
        labels = ", ".join(f"{label} {count}" for label, count in subset["labels"].items())
        rows.append((name, subset["patients"], subset["slides"], subset["crops"], labels))
    return [*lines, *table(("subset", "patients", "slides", "crops", "crops of each class"), rows)]


def _training(training: Mapping[str, Any]) -> list[str]:
    recipe = dict(training["recipe"])
    rows: list[tuple[object, ...]] = [
        ("command", f"distill {training['phase'] or '(not recorded)'}")
    ]
    for name in ("teacher", "student", "init_from"):
        if origin := training[name]:
            about = [f"{key} {value}" for key, value in origin.items() if key != "run"]
            rows.append(
                (name.replace("_", " "), f"{origin['run'] or 'a file'} ({', '.join(about)})")
            )
    if training["from_stored_targets"]:
        rows.append(("teacher's answers", "stored targets"))
    rows += [(name.replace("_", " "), _plain(value)) for name, value in recipe.items()]
    departures = training["preset_departures"]
    if recipe.get("preset"):
        told = [f"{k} {_plain(v['used'])} for {_plain(v['preset'])}" for k, v in departures.items()]
        rows.append(("departures from the preset", ", ".join(told) or "none"))
    if training["epoch"] is not None:  # the members of an ensemble have one each
        started = "" if training["epoch"] else ", those that it started from"
        rows.append(("weights of epoch", f"{training['epoch']}{started} ({training['chosen']})"))
    if training["outcome"]:
        rows.append(("ended", training["outcome"]["ended"]))
    return table(("what", "value"), rows)


def _cost(card: Card) -> list[str]:
    cost = card["cost"]
    height, width = cost["input"]
    rows: list[tuple[object, ...]] = [
        ("parameters", f"{cost['parameters']:,}"),
        (f"GMAC, {height} × {width} pixels", f"{cost['gmac']:.3g}"),
        (f"GFLOP, {height} × {width} pixels", f"{cost['gflop']:.3g}"),
        ("memory to answer, estimated", f"{cost['inference_bytes'] / 2**20:.0f} MiB"),
        ("memory to train, estimated", f"{cost['training_bytes'] / 2**20:.0f} MiB"),
    ]
    for one in card["evaluations"]:
        per_crop = one["cost"]["gmac_per_crop"]
        figures = ", ".join(f"{name} {value:.3g}" for name, value in per_crop.items())
        rows.append((f"GMAC per crop of {one['subset']} ({one['split']})", figures))
    note = (
        "MAC: multiply-adds of convolution and linear layers, and 5 per element of a group norm. "
        "FLOP: 2 per multiply-add of convolution and linear layers, nothing else."
    )
    return [*table(("what", "value"), rows), note, ""]


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
