"""The names that a run's state goes by in checkpoints, the same whichever engine wrote them."""

from typing import Any


def named_state(model: Any, optimizer: Any, loss_scale: dict[str, Any]) -> dict[str, Any]:
    """Every variable of a run by its name.

    Args:
        model: owns the weights.
        optimizer: built.
        loss_scale: the variables of dynamic loss scaling by name, if there are any.
    """
    # The optimizer's own paths begin with a name that Keras numbers anew for every optimizer of a process.
    named = {f"model/{v.path}": v for v in model.variables}
    named |= {f"optimizer/{i:04d}/{v.name}": v for i, v in enumerate(optimizer.variables)}
    return named | loss_scale
