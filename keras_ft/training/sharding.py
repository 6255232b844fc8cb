"""Where each weight of a keras-hub BERT or GPT-2 lies on a mesh.

Of a pair of dense layers the first is cut by its outputs and the second by its inputs, so that each device computes its
own heads and its own part of the feed-forward layer, and one sum over the `model` axis follows each pair.

Shoeybi et al. 2019, arXiv:1909.08053, section 3.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from jax.sharding import Mesh, NamedSharding, PartitionSpec

# The end of a variable's path → how it may be cut; the first way that divides it evenly is taken.
RULES: tuple[tuple[str, tuple[PartitionSpec, ...]], ...] = (
    (r"(query|key|value)/kernel", (PartitionSpec(None, "model", None),)),  # (hidden, heads, head_dim)
    (r"(query|key|value)/bias", (PartitionSpec("model", None),)),  # (heads, head_dim)
    (r"attention_output/kernel", (PartitionSpec("model", None, None),)),  # (heads, head_dim, hidden)
    (r"feedforward_intermediate_dense/kernel", (PartitionSpec(None, "model"),)),  # (hidden, intermediate)
    (r"feedforward_intermediate_dense/bias", (PartitionSpec("model"),)),
    (r"feedforward_output_dense/kernel", (PartitionSpec("model", None),)),  # (intermediate, hidden)
    (r"token_embedding/embeddings", (PartitionSpec("model", None), PartitionSpec(None, "model"))),
)


def partition(path: str, shape: Sequence[int], mesh: Mesh) -> PartitionSpec:
    """How a variable is cut; not at all where no rule knows it or no way divides it evenly.

    Args:
        path: the Keras variable's.
        shape: its shape.
        mesh: the devices.
    """
    for ending, ways in RULES:
        if re.search(rf"(^|/){ending}$", path):
            for spec in ways:
                if len(spec) == len(shape) and _divides(spec, shape, mesh):
                    return spec
    return PartitionSpec()


def _divides(spec: PartitionSpec, shape: Sequence[int], mesh: Mesh) -> bool:
    return all(axis is None or size % mesh.shape[axis] == 0 for axis, size in zip(spec, shape, strict=True))


def shardings(variables: Iterable[Any], mesh: Mesh) -> list[NamedSharding]:
    """Where each variable of a model lies."""
    return [NamedSharding(mesh, partition(v.path, v.shape, mesh)) for v in variables]


def optimizer_shardings(optimizer: Any, variables: Iterable[Any], mesh: Mesh) -> list[NamedSharding]:
    """Where each variable of an optimizer lies: with the weight it belongs to, if it has the shape of one.

    Args:
        optimizer: built for the variables.
        variables: the weights that are trained.
        mesh: the devices.
    """
    # Keras names a slot after its weight: OPTIMIZER/PATH_OF_THE_WEIGHT_slot, with _ for / in the path.
    owners = sorted(((v.path.replace("/", "_") + "_", v) for v in variables), key=lambda pair: -len(pair[0]))

    def place(slot: Any) -> NamedSharding:
        name = slot.path.rpartition("/")[2]
        owner = next((v for start, v in owners if name.startswith(start) and v.shape == slot.shape), None)
        return NamedSharding(mesh, partition(owner.path, owner.shape, mesh) if owner is not None else PartitionSpec())

    return [place(slot) for slot in optimizer.variables]
