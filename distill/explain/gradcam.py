"""Grad-CAM++ in closed form, for a global mean followed by one linear layer. Pure arithmetic.

Chattopadhay et al. 2018 weigh channel k of the last feature map A, of n = h·w cells, for the class
whose logit is S, with Y = exp(S):

    weight_k = Σ_ij α_k^ij · relu(∂Y/∂A_k^ij)

    α_k^ij = ∂²Y/(∂A_k^ij)² / (2 · ∂²Y/(∂A_k^ij)² + Σ_ab A_k^ab · ∂³Y/(∂A_k^ij)³)

    map^ij = relu(Σ_k weight_k · A_k^ij)

Here S = Σ_k w_k · mean(A_k) + b, so ∂S/∂A_k^ij = w_k/n in every cell, all higher derivatives of S
are 0, and the m-th derivative of Y is Y · (w_k/n)^m. Put in, with Σ_ab A_k^ab = n · mean(A_k),

    α_k^ij   = 1 / (2 + w_k · mean(A_k))                               the same in every cell
    weight_k = n · α_k · Y · relu(w_k/n) = Y · relu(w_k) / (2 + w_k · mean(A_k))

n cancels. Where a library's network gives a map that has numbers below 0, mean(A_k) in the
denominator is that of its positive part, and the sum is cut off at 0, as in the paper.

Y is one number for the whole map, which the paper divides away when it scales each map
to its own maximum; we leave Y out instead, so that maps of different crops have one unit. In our
networks A is not negative (it comes after a ReLU). Hence no denominator is below 2, and the sum
needs no ReLU.

What is undefined in the paper's formula, 0/0, occurs only where w_k ≤ 0 (α_k at w_k = 0, or at
w_k · mean(A_k) = -2), and there relu(∂Y/∂A) = 0: such a channel has no part in the map.

The unit is that of a logit. Σ_k w_k · A_k^ij is what the logit would be, but for b, were all cells
like cell ij. The map is the part of it that speaks for the class, each channel divided by 2 plus
what it contributes to the logit, w_k · mean(A_k): a channel that is bright everywhere counts less.
"""

import torch
from torch import Tensor


def channel_weights(features: Tensor, class_weights: Tensor) -> Tensor:
    """Return relu(w_k) / (2 + relu(w_k) · mean(relu(A_k))), (C,).

    Args:
        features: A, (C, h, w) float.
        class_weights: w, (C,): the row of the linear layer's weights that makes the class's logit.
    """
    for_class = torch.relu(class_weights)
    return for_class / (2 + for_class * features.relu().mean((1, 2)))


def gradcam_plus_plus(features: Tensor, class_weights: Tensor) -> Tensor:
    """Return the map of one class without the factor exp(S), (h, w) in units of a logit.

    Args:
        features: A, (C, h, w) float: the map that goes into the global mean.
        class_weights: w, (C,): the row of the linear layer's weights that makes the class's logit.
    """
    found = torch.einsum("k,kij->ij", channel_weights(features, class_weights), features)
    return found.relu()
