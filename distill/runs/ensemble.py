"""Several runs that answer as one: a folder with a copy of each, opened for reading."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NoReturn

import wsistore
from distill.errors import RunError, UsageError
from distill.files import encode, publish, read_json
from distill.output_folder import has_format, require_replaceable
from distill.runs.choices import MEANS, VIEWS
from distill.runs.provenance import sha256
from distill.runs.record_types import require_types
from distill.runs.run import CLASS_MAP, ENSEMBLE, Run
from distill.runs.weights import Weights

if TYPE_CHECKING:
    import torch

    from distill.networks import Classifier

FORMAT = "distill-ensemble/1"
COMMAND = "ensemble"
MEMBERS = "members"
COPIED = ("config.json", "weights.json", "weights.safetensors")
"""What of a member is kept: all that its answers depend on, and what it has learnt from."""
_UNKNOWN = (float("nan"),) * 3
_TYPES = {"mean": str, "views": int, "members": list[Mapping[str, Any]]}


class Ensemble(Run):
    """Runs of one level and the same classes whose answers are averaged.

    Attributes:
        path: the folder.
        config: what the members' config.json have in common, of what readers ask.
        weights: what is true of all members: classes in the first one's order, level, the median
            µm per pixel. Mean and deviation of channels, which members have of their own, are no
            numbers.
        about: what ensemble.json says.
    """

    def __init__(self, path: Path, about: dict[str, Any], members: Sequence[Run]) -> None:
        names = Counter(one.weights.network for one in members)
        first = members[0]
        weights = Weights(
            network=" + ".join(f"{n} × {name}" if n > 1 else name for name, n in names.items()),
            classes=list(first.weights.classes),
            level=first.weights.level,
            mpp=median(one.weights.mpp for one in members),
            mean=_UNKNOWN,
            std=_UNKNOWN,
            epoch=0,
            chosen="of each member",
        )
        super().__init__(path, _common(members), weights)
        self.about = about
        self._members = tuple(members)
        self.mean, self.views = str(about["mean"]), int(about["views"])

    @classmethod
    def open(cls, path: Path | str) -> Ensemble:
        """Open a folder that `write_ensemble` made.

        Raises:
            RunError: it is none, or damaged.
        """
        path = Path(path)
        file = path / ENSEMBLE
        about = read_json(file)
        if about.get("format") != FORMAT:
            raise RunError(f"{file} is not of {FORMAT}")
        require_types(file, about, _TYPES)
        try:
            if about["mean"] not in MEANS or about["views"] not in VIEWS or not about["members"]:
                raise ValueError("its mean, its views or its members are none that there are")
            named = [(str(one["folder"]), str(one["weights_sha256"])) for one in about["members"]]
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{file} is damaged ({error})") from error
        for folder, _ in named:
            if Path(folder).is_absolute() or ".." in Path(folder).parts:
                raise RunError(f"{file} is damaged (its member {folder} is outside)")
        members = [Run.open(path / folder) for folder, _ in named]
        if said := unlike(members):
            raise RunError(f"{path} is damaged: {said}")
        return cls(path, about, members)

    @property
    def members(self) -> tuple[Run, ...]:
        """The runs that answer, in their order."""
        return self._members

    @property
    def told(self) -> list[dict[str, Any]]:
        """What ensemble.json says of the members: run, weights_sha256, network, epoch."""
        names = ("run", "weights_sha256", "network", "epoch")
        return [{name: one.get(name) for name in names} for one in self.about["members"]]

    @property
    def epoch(self) -> int | None:
        """None: each member has its own."""
        return None

    @property
    def class_map(self) -> wsistore.ClassMap:
        """Which classes of their store the members leave out or take together."""
        return self._members[0].class_map

    def weights_sha256(self) -> str:
        """Return the SHA-256 of ensemble.json, which holds that of every member's weights.

        Raises:
            RunError: a member's weights are others.
        """
        for one, told in zip(self._members, self.about["members"], strict=True):
            if one.weights_sha256() != told["weights_sha256"]:
                raise RunError(
                    f"{one.path} has other weights than {self.path / ENSEMBLE} says; make the "
                    "ensemble again"
                )
        return sha256(self.path / ENSEMBLE)

    def require_unchanged(self) -> None:
        """As `Run.require_unchanged`, of every member too."""
        try:
            same = Ensemble.open(self.path).about == self.about
        except RunError:
            same = False
        if not same:
            raise RunError(
                f"{self.path} has become another ensemble since this command opened it; nothing is "
                "written; run it again"
            )
        for one in self._members:
            one.require_unchanged()

    def learnt_from(self) -> list[str]:
        """Return the names of the subsets that the members' trainings read, each once."""
        return list(dict.fromkeys(name for one in self._members for name in one.learnt_from()))

    def epoch_chosen_on(self) -> str | None:
        """None: ask each member."""
        return None

    def load_networks(self, device: torch.device | str = "cpu") -> tuple[Classifier, ...]:
        """Return the members' networks, as `Run.load_networks` does."""
        return tuple(one.load_network(device) for one in self._members)

    def smallest_input(self) -> int:
        """Return the least height and width that every member takes."""
        return max(one.smallest_input() for one in self._members)

    def load_network(self, device: torch.device | str = "cpu") -> NoReturn:
        """Refuse: there are several.

        Raises:
            RunError: always.
        """
        raise RunError(f"{self.path} is an ensemble of several networks; name one of its members")


def open_run(path: Path | str) -> Run:
    """Open a run folder, or an ensemble, which answers like one.

    Raises:
        RunError: as `Run.open` and `Ensemble.open`.
    """
    return Ensemble.open(path) if (Path(path) / ENSEMBLE).exists() else Run.open(path)


def unlike(members: Sequence[Run]) -> str | None:
    """Return why runs cannot answer together, as a sentence without a full stop; None if they can.

    They must take one level, tell the same classes apart, take labels for classes in one way, and
    find the same crops on a slide.
    """
    first = members[0]
    for one in members:
        if one.embedded is not None:
            return f"{one.path} is a head on stored vectors and holds no whole network"
        if one.weights.level != first.weights.level:
            return (
                f"{first.path} takes level {first.weights.level}, and {one.path} "
                f"{one.weights.level}"
            )
        mine, theirs = sorted(first.weights.classes), sorted(one.weights.classes)
        if mine != theirs:
            return f"{first.path} tells apart {', '.join(mine)}, and {one.path} {', '.join(theirs)}"
        if one.class_map != first.class_map:
            return f"{first.path} and {one.path} take labels for classes in different ways"
        ours, others = (each.config.get("data", {}).get("store_settings") for each in (first, one))
        if ours is not None and others is not None:
            try:
                wsistore.settings_of_both(ours, others, (first.weights.level,))
            except wsistore.StoreError as error:
                return f"{first.path} and {one.path} cannot see one slide alike: {error}"
    return None


def check_ensemble_folder(out: Path, overwrite: bool) -> None:
    """Refuse a place that holds anything, unless it is an earlier ensemble to be replaced.

    Raises:
        UsageError: as `distill.output_folder.require_replaceable`.
    """
    names = (ENSEMBLE, MEMBERS, "evaluation")
    require_replaceable(out, overwrite, "an ensemble", has_format(ENSEMBLE, FORMAT), names)


def read_members(paths: Sequence[Path]) -> list[Run]:
    """Open the runs that shall answer together.

    Raises:
        UsageError: they cannot, or one is named twice, under whatever name.
        RunError: one cannot be read.
    """
    members = [Run.open(path) for path in paths]
    if said := unlike(members):
        raise UsageError(f"{said}; an ensemble needs runs of one kind")
    known: dict[str, Path] = {}
    for one in members:
        digest = one.weights_sha256()
        if digest in known:
            raise UsageError(
                f"{known[digest]} and {one.path} have the same weights; name one of them"
            )
        known[digest] = one.path
    return members


def write_ensemble(
    folder: Path, members: Sequence[Run], names: Sequence[str], mean: str, views: int
) -> None:
    """Copy runs into a folder that is empty, and say how they answer together.

    Args:
        folder: receives them.
        members: from `read_members`.
        names: what each is called.
        mean: one of `MEANS`.
        views: one of `VIEWS`.

    Raises:
        RunError: the weights of one have changed meanwhile.
    """
    told = []
    for number, (one, name) in enumerate(zip(members, names, strict=True), 1):
        copy = folder / MEMBERS / str(number)
        copy.mkdir(parents=True)
        digest = one.weights_sha256()
        for file in COPIED:
            shutil.copyfile(one.path / file, copy / file)
        one.require_unchanged()
        if (copied := Run.open(copy)).weights_sha256() != digest:
            raise RunError(f"the weights of {one.path} have changed meanwhile; give it again")
        about = copied.weights
        told.append(
            {
                "folder": f"{MEMBERS}/{number}",
                "run": name,
                "weights_sha256": digest,
                "network": about.network,
                "epoch": about.epoch,
            }
        )
    record = {"format": FORMAT, "mean": mean, "views": views, "members": told}
    publish(folder / ENSEMBLE, encode(record))


def _common(members: Sequence[Run]) -> dict[str, Any]:
    """Return a config of the ensemble: what its members' settings have in common, and who they are.

    Runs and files that a member was made from stay with it.
    """
    common: dict[str, Any] = {}
    first, *others = (one.config for one in members)
    for key, value in first.items():
        plain = key == CLASS_MAP or not isinstance(value, Mapping)
        if plain and all(key in one and one[key] == value for one in others):
            common[key] = value
    return {**common, "command": COMMAND, MEMBERS: [one.weights_sha256() for one in members]}
