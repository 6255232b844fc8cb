"""The backbone of a recipe, as its task needs it."""

from keras_ft.errors import RequestError
from keras_ft.presets.family import FAMILIES
from keras_ft.presets.load import load_pretrained
from keras_ft.presets.pretrained import Pretrained
from keras_ft.recipe import Recipe
from keras_ft.tasks.registry import check_backbone, check_task


def load_backbone(recipe: Recipe) -> Pretrained:
    """Load what the recipe's `backbone` names, with the special tokens that its task adds.

    Raises:
        RequestError: the task or the backbone is wrong, or they do not go together.
        WorkError: a preset could not be fetched.
    """
    kind, options = check_task(recipe)
    pretrained = load_pretrained(recipe.backbone)
    check_backbone(kind, pretrained)
    if getattr(options, "pooling", None) == "pooler" and not FAMILIES[pretrained.family].has_pooler:
        raise RequestError(f"task {kind.name}: a {pretrained.family} has no pooler; pooling can be mean or first")
    return pretrained.with_added_tokens(kind.added_tokens(options), recipe.train.seed)
