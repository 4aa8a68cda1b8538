"""From a pretrained tile encoder to an evaluated student: five commands, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import wsistore
from distill.data import ChannelStats, network_input
from distill.embeddings import EmbeddingsReader, load_head, number_of
from distill.embeddings.tiled import TiledClassifier
from distill.files import load
from distill.kd import TargetsReader, losses
from distill.networks import NetworkSpec, build_encoder, fill_backbone, read_tensors
from distill.runs import Run, sha256
from distill.training import logistic
from distill.training.logistic import STRENGTHS, Lessons, solve
from tests.distill.commands import as_if_killed, distill, done
from tests.distill.embeddings.weights import CNN, VIT, pretrained

pytest.importorskip("timm", reason="timm is an optional extra")
QUICK = ("--epochs", "2", "--accumulate", "3", "--device", "cpu", "--threads", "1")
ANY = ("--network-option", "dynamic_img_size=true")
ONCE = ("--device", "cpu", "--threads", "1")


def chain(store: Path, home: Path, name: str, head: str, views: str) -> None:
    """The five commands of the how-to page."""
    file = pretrained(home, name)
    done("embed", store, "--network", name, *(ANY if name == VIT else ()), "--weights", file,
         "--level", "10x", "--tile", 64, "--views", views, "--out", home / "emb",
         *ONCE)  # fmt: skip
    done("train", "teacher", store, "--embeddings", home / "emb", "--head", head,
         "--out", home / "teacher", *QUICK)  # fmt: skip
    done("teach", home / "teacher", store, "--embeddings", home / "emb", "--student-level", "2.5x",
         "--out", home / "targets", *ONCE)  # fmt: skip
    done("train", "kd", store, "--targets", home / "targets", "--level", "2.5x",
         "--out", home / "student", *QUICK)  # fmt: skip
    done("evaluate", home / "teacher", home / "student", store, "--embeddings", home / "emb",
         "--subset", "val", "--draws", "20", *ONCE)  # fmt: skip


@pytest.fixture(scope="module")
def vit(wide_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("vit")
    chain(wide_store, home, VIT, "attention", "eight")
    return home


@pytest.fixture(scope="module")
def cnn(wide_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("cnn")
    chain(wide_store, home, CNN, "linear", "plain")
    return home


def metrics(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        (run / "evaluation" / "main-val" / "metrics.json").read_text()
    )
    return found


@pytest.mark.parametrize("home", ["vit", "cnn"])
def test_the_teacher_says_online_what_its_targets_and_scores_say(
    home: str, wide_store: Path, request: pytest.FixtureRequest
) -> None:
    """Encoder and head on whole crops, view by view, against what the five commands wrote."""
    folder: Path = request.getfixturevalue(home)
    vectors = EmbeddingsReader(folder / "emb")
    run = Run.open(folder / "teacher")
    encoder = build_encoder(vectors.about.spec)
    (file,) = folder.glob("*.safetensors")
    fill_backbone(encoder.backbone, read_tensors(file), file, "")
    whole = TiledClassifier(encoder, load_head(run), vectors.about.rule)
    standard = ChannelStats(run.weights.mean, run.weights.std)
    targets, store = TargetsReader(folder / "targets"), wsistore.open(wide_store)
    seen = set()
    for epoch in range(1, vectors.views + 1):
        for crop in targets.teaches(targets.crops, plain=False):
            number, draw = targets.view(crop, epoch)
            pixels = torch.from_numpy(np.asarray(store[crop]["10x"]))
            with torch.no_grad():
                found = whole(network_input(pixels, draw, standard, torch.device("cpu")))
            torch.testing.assert_close(targets.logits(number), found.logits, rtol=1e-4, atol=1e-4)
            hint = losses.hint(losses.resized(found.features, targets.shape(crop, draw)))
            torch.testing.assert_close(
                targets.hint(crop, number, draw), hint.mean, rtol=1e-3, atol=1e-4
            )
            seen.add((crop, number_of(draw)))
    assert len(seen) == targets.views == 5 * vectors.views + 2


def test_the_run_folder_says_what_it_is_of(vit: Path) -> None:
    config = json.loads((vit / "teacher" / "config.json").read_text())
    (file,) = vit.glob("*.safetensors")
    told = config["embeddings"]
    assert config["head"] == "attention"
    assert told["weights_sha256"] == config["pretrained"]["sha256"] == sha256(file)
    assert (told["tile"], told["overlap"], told["views"]) == (64, 0, "eight")
    assert config["network"] == VIT
    assert config["freeze"] == "backbone"
    assert config["normalization"] == "network"
    about = Run.open(vit / "teacher").weights
    assert about.spec == NetworkSpec(VIT, {"dynamic_img_size": True})


def test_a_teacher_costs_what_its_tiles_cost(vit: Path, cnn: Path) -> None:
    """Counted with the network in front, and more than its student."""
    for home in (vit, cnn):
        teacher, student = (metrics(home / name)["cost"] for name in ("teacher", "student"))
        assert isinstance(teacher, dict)
        assert isinstance(student, dict)
        about = EmbeddingsReader(home / "emb").about
        encoder = build_encoder(about.spec)
        own = sum(parameter.numel() for parameter in encoder.parameters())
        assert teacher["parameters"] > own
        assert teacher["gmac_per_crop"]["mean"] > 0


@pytest.mark.parametrize("head", ["linear", "attention"])
def test_a_resumed_head_is_an_uninterrupted_one(
    vit: Path, wide_store: Path, tmp_path: Path, head: str
) -> None:
    words = ("train", "teacher", wide_store, "--embeddings", vit / "emb", "--head", head)
    done(*words, "--out", tmp_path / "whole", *QUICK, "--epochs", 4)
    done(*words, "--out", tmp_path / "cut", *QUICK, "--epochs", 2)
    as_if_killed(tmp_path / "cut", 4)
    done(*words, "--out", tmp_path / "cut", *QUICK, "--epochs", 4, "--resume")
    one, other = (tmp_path / name / "weights.safetensors" for name in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()


def test_a_head_that_is_solved_is_the_best_of_its_strengths(
    vit: Path, wide_store: Path, tmp_path: Path
) -> None:
    """Every view counts; the epoch kept is the C of the lowest validation loss; killed = whole."""
    words = ("train", "teacher", wide_store, "--embeddings", vit / "emb", "--head", "logistic")
    done(*words, "--out", tmp_path / "all", *ONCE)
    config = json.loads((tmp_path / "all" / "config.json").read_text())
    lines = [json.loads(x) for x in (tmp_path / "all" / "metrics.jsonl").read_text().splitlines()]
    assert config["logistic_c"] == [line["logistic_c"] for line in lines]
    assert config["epochs"] == len(lines) == 17
    outcome = json.loads((tmp_path / "all" / "outcome.json").read_text())
    losses_of = [line["val"]["loss"] for line in lines]
    assert outcome["kept"] == 1 + losses_of.index(min(losses_of))
    best = lines[outcome["kept"] - 1]["logistic_c"]
    done(*words, "--out", tmp_path / "one", "--logistic-c", best, *ONCE)
    one, every = (load(tmp_path / name / "weights.safetensors")[0] for name in ("one", "all"))
    assert one.keys() == every.keys()
    assert all(torch.equal(one[name], every[name]) for name in one)

    # slowly, from what is stored: the gradient of the objective is 0
    vectors, run = EmbeddingsReader(vit / "emb"), Run.open(tmp_path / "one")
    head, rows = load_head(run), wsistore.open(wide_store).split("main")
    rows = rows[(rows["subset"] == "train") & rows["label"].notna()]
    weight = head.classifier.weight.detach().double().requires_grad_()
    terms = []
    for crop, label in zip(rows["crop"], rows["label"], strict=True):
        for view in range(8):
            mean = ((vectors.bag(crop, view).double() - head.center) / head.scale).mean(0)
            logits = weight @ mean + head.classifier.bias.double()
            terms.append(torch.logsumexp(logits, 0) - logits[run.weights.classes.index(label)])
    (best * torch.stack(terms).sum() / 8 + weight.square().sum() / 2).backward()
    assert weight.grad is not None
    free = weight.grad[1 if len(weight) == 2 else 0 :]
    assert float(free.abs().max()) < 1e-4 * max(
        1.0, float(head.classifier.weight.detach().abs().max())
    )


def test_a_solved_head_that_is_resumed_is_an_uninterrupted_one(
    cnn: Path, wide_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "teacher", wide_store, "--embeddings", cnn / "emb", "--head", "logistic")
    done(*words, "--out", tmp_path / "whole", *ONCE)
    tried: list[float] = []

    def until(lessons: Lessons, c: float) -> object:
        tried.append(c)
        if len(tried) == 4:
            raise KeyboardInterrupt
        return solve(lessons, c)

    def then(lessons: Lessons, c: float) -> object:
        tried.append(c)
        return solve(lessons, c)

    with monkeypatch.context() as patched:
        patched.setattr(logistic, "solve", until)
        assert distill(*words, "--out", tmp_path / "cut", *ONCE).exit_code == 130
        del tried[3:]
        patched.setattr(logistic, "solve", then)
        done(*words, "--out", tmp_path / "cut", *ONCE, "--resume")
    assert tried == list(STRENGTHS)
    one, other = (tmp_path / name / "weights.safetensors" for name in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()


def test_options_of_steps_have_no_effect_on_a_head_that_is_solved(
    vit: Path, wide_store: Path, tmp_path: Path
) -> None:
    words = ("train", "teacher", wide_store, "--embeddings", vit / "emb", "--out", tmp_path / "r")
    for option in (("--epochs", 3), ("--label-smoothing", 0.1), ("--hue", 0.1), ("--lr", 1)):
        refused = distill(*words, "--head", "logistic", *option)
        assert refused.exit_code == 2
        assert f"{option[0]} has no effect with --head logistic, which is" in refused.output
    refused = distill(*words, "--logistic-c", 1)
    assert refused.exit_code == 2
    assert "--logistic-c has no effect with --head linear" in refused.output


def refused(said: str, *words: object) -> None:
    result = distill(*words)
    assert result.exit_code in (1, 2), result.output
    assert said in " ".join(result.output.split()), result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give either --network or --preset"),
        (("--network", CNN, "--preset", "uni"), "give either --network or --preset"),
        (("--network", "resnet10"), "timm/NAME or torchvision/NAME"),
        (("--network", CNN), "does not fit timm/test_efficientnet"),
        (("--network", VIT, "--weights", "gone.pt"), "gone.pt does not exist"),
        (("--network", VIT, "--level", "9x"), "has no level 9x; --level can be: 10x, 2.5x"),
        (("--network", VIT, *ANY, "--tile", 65), "--tile 65 does not fit the network"),
        (("--network", VIT, "--overlap", 160), "--overlap 160 must be at least 0"),
        (("--network", VIT, "--subset", "val"), "name it with --split"),
        (("--network", VIT, "--split", "other"), "other"),
        (("--network", VIT, "--split", "main", "--subset", "dev"), "dev"),
        (("--network", VIT, "--pool", "mean", "--out", "STORE"), "holds no embeddings"),
    ],
)
def test_misuse_of_embed_is_one_sentence(
    wide_store: Path, tmp_path: Path, words: tuple[object, ...], said: str
) -> None:
    file = pretrained(tmp_path, VIT)
    given = [wide_store if word == "STORE" else word for word in words]
    refused(
        said,
        *("embed", wide_store, "--weights", file, "--level", "10x", "--out", tmp_path / "emb"),
        *ONCE,
        *given,
    )
    assert not list(tmp_path.glob("emb*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "teacher", "STORE", "--out", "OUT"),
         "Missing option '--level', or '--embeddings'."),
        (("train", "teacher", "STORE", "--level", "10x", "--head", "linear", "--out", "OUT"),
         "--head has no effect without --embeddings"),
        (("train", "teacher", "STORE", "--embeddings", "EMB", "--level", "2.5x", "--out", "OUT"),
         "is of 10x; leave --level out"),
        (("train", "teacher", "STORE", "--embeddings", "EMB", "--network", CNN, "--out", "OUT"),
         "--network has no effect with --embeddings"),
        (("train", "teacher", "STORE", "--embeddings", "STORE", "--out", "OUT"),
         "is not of embeddings"),
        (("evaluate", "RUN", "STORE", "--subset", "val", "--overwrite"),
         "give those of the crops with --embeddings"),
        (("evaluate", "STUDENT", "STORE", "--subset", "val", "--embeddings", "EMB"),
         "--embeddings has no effect"),
        (("evaluate", "RUN", "STORE", "--subset", "val", "--overwrite", "--embeddings", "CNN"),
         "give embeddings of the same kind"),
        (("teach", "RUN", "STORE", "--student-level", "2.5x", "--out", "OUT"),
         "give those of the crops with --embeddings"),
        (("teach", "RUN", "STORE", "--embeddings", "EMB", "--views", 3, "--student-level", "2.5x",
          "--out", "OUT"), "--views has no effect with --embeddings"),
        (("train", "kd", "STORE", "--teacher", "RUN", "--level", "2.5x", "--out", "OUT"),
         "is a head on stored vectors"),
        (("train", "finetune", "STORE", "--student", "RUN", "--out", "OUT"),
         "is a head on stored vectors"),
        (("export", "RUN", "--onnx"), "is a head on stored vectors"),
        (("explain", "RUN", "STORE", "--subset", "val", "--out", "OUT"),
         "is a head on stored vectors"),
        (("cost", "RUN", "--size", "64x64"), "is a head on stored vectors"),
    ],
)  # fmt: skip
def test_misuse_of_what_is_stored_is_one_sentence(
    vit: Path, cnn: Path, wide_store: Path, tmp_path: Path, words: tuple[object, ...], said: str
) -> None:
    places = {
        "STORE": wide_store,
        "OUT": tmp_path / "out",
        "EMB": vit / "emb",
        "CNN": cnn / "emb",
        "RUN": vit / "teacher",
        "STUDENT": vit / "student",
    }
    refused(said, *(places.get(str(word), word) for word in words))
    assert not (tmp_path / "out").exists()


def test_a_store_that_has_changed_since_is_refused(
    vit: Path, wide_store: Path, tmp_path: Path
) -> None:
    """Its tables say that a crop has other pixels than those that were looked at."""
    store = Path(shutil.copytree(wide_store, tmp_path / "store"))
    group = store / "slides" / "s5" / "zarr.json"
    about = json.loads(group.read_text())
    text = json.dumps(about)
    opened = wsistore.open(store)
    rows = opened.levels.set_index(["crop", "level"])
    was = int(rows.loc[("s5/0", "10x"), "sum_r"])
    assert str(was) in text
    group.write_text(text.replace(str(was), str(was + 1)))
    table = store / "levels.csv"
    table.write_text(table.read_text().replace(str(was), str(was + 1)))
    assert int(wsistore.open(store).levels.set_index(["crop", "level"]).loc[
        ("s5/0", "10x"), "sum_r"]) == was + 1  # fmt: skip
    words = ("evaluate", vit / "teacher", store, "--embeddings", vit / "emb", "--subset", "val",
             "--overwrite", *ONCE)  # fmt: skip
    refused("was made of other pixels", *words)
    refused("of crop s5/0 at 10x: the store has changed", *words)


def test_crops_without_vectors_are_named(vit: Path, wide_store: Path, tmp_path: Path) -> None:
    (file,) = vit.glob("*.safetensors")
    done("embed", wide_store, "--network", VIT, *ANY, "--weights", file, "--level", "10x",
         "--tile", 64, "--split", "main", "--subset", "train", "--out", tmp_path / "emb",
         *ONCE)  # fmt: skip
    refused(
        "has no vectors of crop s5/0 and 1 more",
        *("evaluate", vit / "teacher", wide_store, "--embeddings", tmp_path / "emb"),
        *("--subset", "val", "--overwrite"),
    )


def test_a_head_obeys_the_recipe(vit: Path, wide_store: Path, tmp_path: Path) -> None:
    """Each option gives another head; what config.json says is what was asked for."""
    ways: dict[str, tuple[str, ...]] = {
        "plain": (),
        "smooth": ("--label-smoothing", "0.3"),
        "weights": ("--class-weights", "coarse=5,fine=1"),
        "balanced": ("--sampling", "balanced"),
        "sgd": ("--optimizer", "sgd"),
    }
    found = {}
    for name, words in ways.items():
        done("train", "teacher", wide_store, "--embeddings", vit / "emb", "--out",
             tmp_path / name, *QUICK, *words)  # fmt: skip
        found[name] = load(tmp_path / name / "weights.safetensors")[0]["classifier.weight"]
    for name in [*ways][1:]:
        assert not torch.equal(found[name], found["plain"]), name
    config = json.loads((tmp_path / "smooth" / "config.json").read_text())
    assert config["label_smoothing"] == 0.3


def test_a_head_goes_to_a_cohort_with_the_vectors_of_its_crops(
    cnn: Path, wide_store: Path, tmp_path: Path
) -> None:
    shutil.copytree(wide_store, tmp_path / "away")
    words = ("evaluate", cnn / "teacher", cnn / "student", wide_store, "--subset", "val",
             "--draws", "20", *ONCE, "--cohort", f"b={tmp_path / 'away'}")  # fmt: skip
    refused("give those of the crops of cohort b with --cohort-embeddings b=EMB", *words)
    done(*words, "--cohort-embeddings", f"b={cnn / 'emb'}")
    for run in (cnn / "teacher", cnn / "student"):
        home, away = (run / place / "main-val" for place in ("evaluation", "cohorts/b"))
        for name in ("predictions.csv", "slides.csv"):
            assert (away / name).read_bytes() == (home / name).read_bytes()
