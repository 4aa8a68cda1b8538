"""Classifiers of a crop whose tiles have vectors: a linear layer on their mean, or attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from distill.embeddings.choices import HEADS
from distill.embeddings.reader import EmbeddingsReader

WIDTH = 128
"""Units of the attention's hidden layer, as in Ilse et al. 2018."""

AT_ONCE = 2**24
"""Numbers of a bag that a head looks at together; of a larger bag it looks at a part at a time."""
Part = Callable[[], Tensor]
"""Reads part of a bag, (n, D) as stored; it may be called again and must read the same."""


class Head(nn.Module):
    """The vectors of a crop's tiles, (n, D), to logits (K,).

    Vectors are standardised first, channel by channel, with what `fit` has found: lengths differ
    from network to network, and one learning rate should do for all.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        self.classifier = nn.Linear(channels, classes)

    def fit(self, vectors: EmbeddingsReader, crops: tuple[str, ...]) -> None:
        """Take mean and deviation of each channel over all tiles of some crops, view 0.

        Channels that are the same everywhere are only centered.
        """
        mean, deviation, varies = self._figures(vectors, crops)
        self.center.copy_(mean)
        self.scale.copy_(torch.where(varies, deviation, torch.ones_like(deviation)))

    def _figures(
        self, vectors: EmbeddingsReader, crops: tuple[str, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean and deviation of each channel, and whether it varies, all (D,)."""
        count = 0
        total = torch.zeros(len(self.center), dtype=torch.float64)
        squares = torch.zeros_like(total)
        for crop in crops:
            bag = vectors.bag(crop).double()
            count, total = count + len(bag), total + bag.sum(0)
            squares += bag.square().sum(0)
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
        # what float64 leaves of a channel that does not vary is no deviation
        return mean, deviation, deviation > 1e-6 * mean.abs()

    def reduced(self, bag: Tensor) -> Tensor:
        """Return what is needed of a crop's vectors, (m, D): fewer rows of the same result."""
        return bag

    def pooled(self, bag: Tensor) -> Tensor:
        """(n, D) standardised to one vector (D,)."""
        raise NotImplementedError

    def vector(self, bag: Tensor) -> Tensor:
        """(n, D) as stored to what the classifier is given, (D,)."""
        return self.pooled((bag - self.center) / self.scale)

    def vector_of(self, parts: Sequence[Part], size: int) -> Tensor:
        """Return `vector` of a bag that is read in parts, but for rounding; of one part, the same.

        Args:
            parts: at least one.
            size: numbers that they hold together.
        """
        return self.vector(torch.cat([part() for part in parts]))

    def forward(self, bag: Tensor) -> Tensor:
        """(n, D) as stored to logits (K,)."""
        logits: Tensor = self.classifier(self.vector(bag))
        return logits

    def classify(self, grid: Tensor) -> Tensor:
        """(1, D, rows, columns) as stored to logits (1, K)."""
        return self.forward(grid[0].flatten(1).T).unsqueeze(0)


class LinearHead(Head):
    """A linear layer on the mean of the vectors."""

    def reduced(self, bag: Tensor) -> Tensor:
        """Return the mean, (1, D)."""
        return bag.mean(0, keepdim=True)

    def pooled(self, bag: Tensor) -> Tensor:
        """Return the mean, (D,)."""
        return bag.mean(0)

    def reduced_of(self, parts: Sequence[Part]) -> Tensor:
        """Return `reduced` of a bag that is read in parts, (1, D)."""
        means, numbers = [], []
        for part in parts:
            bag = part()
            numbers.append(len(bag))
            means.append(self.reduced(bag)[0])
        if len(means) == 1:
            return means[0].unsqueeze(0)
        share = torch.tensor(numbers, dtype=torch.float64) / sum(numbers)
        weighed = torch.stack(means).double() * share.to(means[0].device).unsqueeze(1)
        return weighed.sum(0, keepdim=True).float()

    def vector_of(self, parts: Sequence[Part], size: int) -> Tensor:
        """Return `vector` of all parts, of which one at a time is in memory."""
        return self.vector(parts[0]() if len(parts) == 1 else self.reduced_of(parts))


class LogisticHead(LinearHead):
    """A linear layer on the mean of the vectors, of multinomial logistic regression.

    One scale does for all channels: the root of their mean variance. Channels that say more keep
    their weight under the penalty, and the penalty means the same for vectors of any length.
    """

    def fit(self, vectors: EmbeddingsReader, crops: tuple[str, ...]) -> None:
        """Take the mean of each channel, and the one scale, of all tiles of some crops, view 0."""
        mean, deviation, varies = self._figures(vectors, crops)
        self.center.copy_(mean)
        scale = float(deviation.square().mean().sqrt())
        self.scale.fill_(scale if bool(varies.any()) else 1.0)


class AttentionHead(Head):
    """Gated attention pooling and a linear layer (Ilse, Tomczak, Welling 2018, equation 9).

    z = Σ a_k h_k with a = softmax over tiles of wᵀ (tanh(V h_k) ⊙ σ(U h_k)).
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels, classes)
        self.content = nn.Linear(channels, WIDTH, bias=False)
        self.gate = nn.Linear(channels, WIDTH, bias=False)
        self.score = nn.Linear(WIDTH, 1, bias=False)

    def scores(self, bag: Tensor) -> Tensor:
        """(n, D) standardised to the scores of the tiles before the softmax, (n,)."""
        gated = torch.tanh(self.content(bag)) * torch.sigmoid(self.gate(bag))
        scores: Tensor = self.score(gated)
        return scores[:, 0]

    def attention(self, bag: Tensor) -> Tensor:
        """(n, D) standardised to the weights of the tiles, (n,), which sum to 1."""
        return torch.softmax(self.scores(bag), 0)

    def pooled(self, bag: Tensor) -> Tensor:
        """Return the weighted sum, (D,)."""
        return self.attention(bag) @ bag

    def vector_of(self, parts: Sequence[Part], size: int) -> Tensor:
        """Return `vector` of all parts; of a large bag one part at a time is in memory.

        That holds for gradients too: each part is read and looked at once more for them.
        """
        if size <= AT_ONCE or len(parts) == 1:
            return super().vector_of(parts, size)
        found = torch.zeros_like(self.center)
        for part, weights in zip(parts, self.weights(parts), strict=True):
            found = found + _forgetting(self._weighed, part, weights)
        return found

    def weights(self, parts: Sequence[Part]) -> tuple[Tensor, ...]:
        """Return the weights of the tiles of each part, (n,) each, which sum to 1 together."""
        scores = [_forgetting(self._scored, part) for part in parts]
        together = torch.softmax(torch.cat(scores), 0)
        return torch.split(together, [len(one) for one in scores])

    def _scored(self, part: Part) -> Tensor:
        return self.scores((part() - self.center) / self.scale)

    def _weighed(self, part: Part, weights: Tensor) -> Tensor:
        return weights @ ((part() - self.center) / self.scale)


def _forgetting(function: Callable[..., Tensor], *given: object) -> Tensor:
    """Return what a function does, which is done once more for its gradient: nothing is held."""
    if not torch.is_grad_enabled():
        return function(*given)
    found: Tensor = checkpoint(function, *given, use_reentrant=False, preserve_rng_state=False)
    return found


def build_head(name: str, channels: int, classes: int, *, seed: int = 0) -> Head:
    """Return a head with initial weights, a function of the arguments."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone
        kind: type[Head] = globals()[HEADS[name]]
        return kind(channels, classes)
