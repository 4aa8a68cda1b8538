"""The tensors of a DINOv2 transformer as `transformers` names them, for those of timm's. Pure.

`Dinov2Model` of `transformers` and timm's `VisionTransformer` compute the same: blocks of layer
norm, attention and layer scale, and of layer norm, two linear layers with GELU between them and
layer scale, both added to what came in; a layer norm at the end; all of them with epsilon 1e-6.
They differ in names, and timm has query, key and value in one linear layer, in this order.

Source: src/transformers/models/dinov2/modeling_dinov2.py of huggingface/transformers.
"""

from __future__ import annotations

import re

_OUTSIDE = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
    "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
    "norm.weight": "layernorm.weight",
    "norm.bias": "layernorm.bias",
}
_ATTENTION = "attention.attention"
_BLOCK: dict[str, tuple[str, ...]] = {
    "norm1": ("norm1",),
    "attn.qkv": (f"{_ATTENTION}.query", f"{_ATTENTION}.key", f"{_ATTENTION}.value"),
    "attn.proj": ("attention.output.dense",),
    "norm2": ("norm2",),
    "mlp.fc1": ("mlp.fc1",),
    "mlp.fc2": ("mlp.fc2",),
}
_SCALES = {"ls1.gamma": "layer_scale1.lambda1", "ls2.gamma": "layer_scale2.lambda1"}


def dinov2_names(name: str) -> tuple[str, ...]:
    """Return what a tensor of timm's is made of, one behind the other along the first axis.

    Args:
        name: of the tensor in timm's `VisionTransformer`.

    Returns:
        names in `Dinov2Model` of `transformers`; none where that has no such tensor.
    """
    if name in _OUTSIDE:
        return (_OUTSIDE[name],)
    found = re.fullmatch(r"blocks\.(\d+)\.(.+)", name)
    if found is None:
        return ()
    layer, inside = f"encoder.layer.{found[1]}", found[2]
    if inside in _SCALES:
        return (f"{layer}.{_SCALES[inside]}",)
    module, _, kind = inside.rpartition(".")
    return tuple(f"{layer}.{one}.{kind}" for one in _BLOCK.get(module, ()))
