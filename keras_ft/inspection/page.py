"""An inspection as a page of HTML that needs no other file."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from keras_ft import __version__
from keras_ft.inspection.finding import share
from keras_ft.inspection.inspect import Inspection


def page(inspection: Inspection, title: str) -> str:
    """The page.

    Args:
        inspection: from `inspect`.
        title: such as the recipe's path.
    """
    environment = Environment(
        loader=PackageLoader("keras_ft.inspection", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = share
    found = inspection.to_json()
    splits = {name: figures for name, figures in found.pop("splits").items() if name != "all"}
    rows = inspection.splits["all"]["rows"]
    template = environment.get_template("page.html")
    return template.render(**found, splits=splits, rows=rows, title=title, version=__version__)
