"""The names that a run's state goes by in checkpoints, the same whichever engine wrote them."""

from typing import Any

from keras_ft.errors import WorkError


def named_state(model: Any, optimizer: Any, loss_scale: dict[str, Any]) -> dict[str, Any]:
    """Every variable of a run by its name.

    Args:
        model: owns the weights.
        optimizer: built.
        loss_scale: the variables of dynamic loss scaling by name, if there are any.
    """
    # The optimizer's own paths begin with a name that Keras numbers anew for every optimizer of a process.
    named = {f"model/{v.path}": v for v in model.weights}  # seeds of Keras' own drop-out, which is not used, aside
    named |= {f"optimizer/{i:04d}/{v.name}": v for i, v in enumerate(optimizer.variables)}
    return named | loss_scale


def check_fits(state: dict[str, Any], variables: dict[str, Any]) -> None:
    """See that a state holds all weights, and whatever it holds in the right shape.

    Raises:
        WorkError: it was made by another model or optimizer.
    """
    missing = [name for name in variables if name.startswith("model/") and name not in state]
    others = [n for n, v in variables.items() if n in state and tuple(state[n].shape) != tuple(v.shape)]
    half = [n for n in variables if n not in state] if any(n.startswith("optimizer/") for n in state) else []
    if wrong := [*missing, *others, *half]:
        raise WorkError(
            f"the checkpoint does not fit the model or its optimizer ({wrong[0]}, one of {len(wrong)}); it was written "
            "by another version, so train into another --out"
        )
