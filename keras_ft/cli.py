"""`keras-ft VERB`: parses, calls one function, prints; no logic. Heavy imports wait until a verb needs them."""

import json
import logging
import os
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_ft import __version__, shown
from keras_ft.backend import use_backend
from keras_ft.errors import KerasFTError
from keras_ft.startup import start_quickly

app = typer.Typer(
    name="keras-ft",
    help="Fine-tune BERT and GPT-2 in Keras and serve them with their tokenizers inside: strings in, answers out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")]
TextColumn = Annotated[str, typer.Option("--index-text", metavar="COLUMN", help="The column of the texts.")]
IdColumn = Annotated[
    str | None, typer.Option("--index-id", metavar="COLUMN", help="The column of the ids. Default: line numbers.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override the recipe: --set train.epochs=1")
]


def main() -> None:
    """Run a verb; an error of ours is one line on stderr and its exit code."""
    start_quickly()
    use_backend("tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    else:
        warnings.filterwarnings("ignore")
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        app()
    except KerasFTError as error:
        if debug:
            raise
        print(f"keras-ft: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if debug:
            raise
        print(
            f"keras-ft: {error.strerror or error}: {error.filename or 'check paths and free disk space'}",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file.")],
    out: Annotated[str, typer.Option(help="The run folder; an unfinished one of the same recipe is resumed.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Train, test, and write the run folder; run again on the same folder it resumes.

    Ctrl-C and SIGTERM save after the step under way; a second one ends at once. Exit codes: 0 done, 1 the work failed,
    2 the request was wrong, 75 stopped by SIGTERM (the same command goes on), 130 Ctrl-C (likewise).
    """
    from keras_ft.recipe_file import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    use_backend(loaded.runtime.engine)
    from keras_ft.training.train import train as run_training

    with redirect_stdout(sys.stderr):  # what callbacks print does not mix with the result
        metrics = run_training(loaded, out)
    if metrics:  # only the chief of several workers has them
        _print(metrics, as_json, lambda: shown.metrics_lines(metrics, out))


@app.command()
def evaluate(
    run: Run,
    data: Annotated[str, typer.Option(help="A data file with the columns of the run's recipe.")],
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page about it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the metrics of a run on other data."""
    from keras_ft.evaluation.evaluate_run import evaluate_run

    metrics = evaluate_run(run, data, report)
    _print(metrics, as_json, lambda: [f"{name:<12} {value:.4f}" for name, value in metrics.items()])


@app.command()
def report(run: Run, as_json: AsJson = False) -> None:
    """Write RUN/report.html again, from what the run folder holds."""
    from keras_ft.evaluation.report.run_report import rebuild_report

    path = rebuild_report(run)
    _print({"report": path}, as_json, lambda: [path])


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN …", help="Run folders; the first is the measure.")],
    html: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write the comparison as a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put runs side by side, and say which differences are more than chance."""
    from keras_ft.evaluation.comparison.compare import compare as compare_runs
    from keras_ft.evaluation.comparison.show import print_comparison, write_comparison

    found = compare_runs(runs)
    if html:
        write_comparison(found, html)
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        print_comparison(found)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(metavar="RUN_OR_EXPORT", help="A run folder or an export.")],
    text: Annotated[list[str] | None, typer.Option(help="A text; may be given several times.")] = None,
    input_file: Annotated[str | None, typer.Option("--input", help="A data file with the text columns.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the answers, one JSON object a line (with --json one object that lists them)."""
    from keras_ft.evaluation.predict import predict as answers_of

    answers = answers_of(model, text or [], input_file)
    if as_json:
        print(json.dumps({"answers": list(answers)}, ensure_ascii=False))
        return
    for answer in answers:
        print(json.dumps(answer, ensure_ascii=False))


@app.command()
def export(
    run: Run,
    to: Annotated[str, typer.Option(metavar="MODELS/NAME", help="Where versions are; NAME is what is served.")],
    version: Annotated[int | None, typer.Option(help="Default: the next free number.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    top_k: Annotated[int | None, typer.Option(help="Labels in an answer. Default: all up to 20, else 5.")] = None,
    index: Annotated[str | None, typer.Option(metavar="FILE", help="Texts for the signature search.")] = None,
    index_text: TextColumn = "text",
    index_id: IdColumn = None,
    relations: Annotated[
        str | None, typer.Option("--with", metavar="RUN", help="RUN is of tagging, this of relation: find triples.")
    ] = None,
    max_pairs: Annotated[int | None, typer.Option(help="Pairs of entities looked at in a text. Default: 64.")] = None,
    deploy: Annotated[
        str | None, typer.Option("--serving-config", metavar="FOLDER", help="Write what a deployment needs there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a verified SavedModel with warm-up requests to MODELS/NAME/N.

    With --index an embedding model gets the signature `search`, which finds texts of that file.
    With --with, two runs become one model that finds the entities of a text and the relations between them.
    With --serving-config, configurations for TF Serving, Compose, Kubernetes, Prometheus and Grafana are written too.
    """
    from keras_ft.export.joined import export_runs
    from keras_ft.export.serving_config import serving_config
    from keras_ft.search.items import ItemsFile

    items = ItemsFile(index, index_text, index_id) if index else None
    with serving_config(deploy, run, to, dtype):
        folder, found = export_runs(run, relations, to, version, dtype, top_k, max_pairs, items)
    _print({"version": folder, **asdict(found)}, as_json, lambda: shown.verification_lines(folder, found))


@app.command()
def index(
    run: Run,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A data file of texts.")],
    to: Annotated[str, typer.Option(metavar="FOLDER", help="Written anew; must be absent or empty.")],
    index_text: TextColumn = "text",
    index_id: IdColumn = None,
    hnsw: Annotated[bool, typer.Option("--hnsw", help="Write index.hnsw too (extra: search).")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the vectors of a file's texts for a search engine: vectors.npy, items.jsonl and, if wanted, index.hnsw."""
    from keras_ft.search.folder import write_index_folder
    from keras_ft.search.items import ItemsFile

    made = write_index_folder(run, ItemsFile(file, index_text, index_id), to, hnsw)
    _print(made, as_json, lambda: [f"{made['folder']} holds {made['items']:,} vectors of {made['dim']} numbers"])


@app.command()
def verify(
    folder: Annotated[str, typer.Argument(metavar="MODELS/NAME/N", help="An exported version.")],
    as_json: AsJson = False,
) -> None:
    """Check an export the way TF Serving would load it."""
    from keras_ft.export.verify import verify as verify_export

    found = verify_export(folder)
    _print({"version": folder, **asdict(found)}, as_json, lambda: shown.verification_lines(folder, found))


@app.command()
def convert(
    run: Run,
    to: Annotated[str, typer.Option(metavar="FOLDER", help="Written anew; must be absent or empty.")],
    to_format: Annotated[str, typer.Option("--format", help="keras-hub or hugging-face.")],
    as_json: AsJson = False,
) -> None:
    """Write a run as a folder that keras-hub or transformers loads, and that `backbone:` can name."""
    from keras_ft.export.convert import convert as convert_run

    done = convert_run(run, to, to_format)
    _print({**asdict(done), "folder": str(done.folder)}, as_json, lambda: [f"{done.format} {done.folder}", *done.notes])


@app.command()
def serve(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODELS/NAME …", help="Model folders, or versions of them.")
    ] = None,
    rest_port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8501,
    grpc_port: Annotated[int | None, typer.Option(help="8500 is usual; 0 takes a free one; default: no gRPC.")] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 listens on every address.")] = "127.0.0.1",
    model_config_file: Annotated[
        Path | None, typer.Option(metavar="models.config", help="Several models, as TF Serving reads them.")
    ] = None,
    model_config_file_poll_seconds: Annotated[float, typer.Option(min=0, help="0 reads it once.")] = 0.0,
    poll_seconds: Annotated[float, typer.Option(min=0, help="Between two looks for new versions; 0: never.")] = 1.0,
    enable_batching: Annotated[
        bool, typer.Option("--enable-batching", help="Run requests that wait together.")
    ] = False,
    batching_parameters_file: Annotated[
        Path | None, typer.Option(metavar="batching.config", help="How, as TF Serving reads it.")
    ] = None,
    max_queue_delay: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Refuse at once what would wait longer.")
    ] = None,
    monitoring_config_file: Annotated[
        Path | None, typer.Option(metavar="monitoring.config", help="Whether and where metrics are shown.")
    ] = None,
    api_keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who may ask; 'keras-ft api-key' makes it. Default: everyone.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE.pem", help="With --tls-key: HTTPS and gRPC's TLS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE.pem", help="Of the certificate.")] = None,
    max_request_bytes: Annotated[int, typer.Option(help="Of a request, also unpacked.")] = 100 * 2**20,
    as_json: AsJson = False,
) -> None:
    """Serve exports over TF Serving's REST and gRPC APIs."""
    from keras_ft.serving.options import ServerOptions
    from keras_ft.serving.server import print_ready
    from keras_ft.serving.server import serve as run_server

    options = ServerOptions(
        host=host,
        rest_port=rest_port,
        grpc_port=grpc_port,
        model_config_file=model_config_file,
        model_config_file_poll_seconds=model_config_file_poll_seconds,
        poll_seconds=poll_seconds,
        enable_batching=enable_batching,
        batching_parameters_file=batching_parameters_file,
        max_queue_delay=max_queue_delay,
        monitoring_config_file=monitoring_config_file,
        api_keys=api_keys,
        tls_cert=tls_cert,
        tls_key=tls_key,
        max_request_bytes=max_request_bytes,
    )
    run_server(models or (), options, print_ready if as_json else None)


@app.command()
def api_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of the hashes; made if it is absent.")],
    name: Annotated[str, typer.Option(help="Whose key it is.")],
) -> None:
    """Make an API key for 'keras-ft serve --api-keys FILE': printed once, kept as a hash alone."""
    from keras_ft.serving.api_keys import new_key

    print(new_key(file, name))


@app.command()
def inspect(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON object there too.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is a problem.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read the data of a recipe and say what they hold and what is wrong with them."""
    from keras_ft.recipe_file import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    from keras_ft.evaluation.report.inspection import write_inspection_page
    from keras_ft.inspection.files import check_target, write_json
    from keras_ft.inspection.inspect import inspect as inspect_data
    from keras_ft.inspection.terminal import lines
    from keras_ft.tasks.backbone import load_backbone

    for target in (out, html):
        check_target(target)
    found = inspect_data(loaded, load_backbone(loaded), shown.to_stderr)
    if out:
        write_json(found.to_json(), out)
    if html:
        write_inspection_page(found, html, str(recipe))
    _print(found.to_json(), as_json, lambda: lines(found, color=sys.stdout.isatty()))
    if strict and found.has_problem:
        raise typer.Exit(1)


@app.command()
def doctor(
    recipe: Annotated[Path | None, typer.Argument(metavar="[RECIPE]", help="Look at its files too.")] = None,
    out: Annotated[str | None, typer.Option(help="With RECIPE: try to write this run folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what this machine has, what is wrong with it and what to do."""
    from keras_ft.doctor.examine import examine
    from keras_ft.doctor.show import show, summary

    findings = []
    for subject, found in examine(recipe, out):
        findings += [{"subject": subject, **asdict(finding)} for finding in found]
        if not as_json:
            show(subject, found)
    _print({"findings": findings}, as_json, lambda: [summary(findings)])
    if any(finding["state"] == "bad" for finding in findings):
        raise typer.Exit(1)


@app.command()
def presets(as_json: AsJson = False) -> None:
    """List the names that `backbone:` can use here."""
    from keras_ft.presets.load import FORMS, cached_presets, preset_names

    names, cached = preset_names(), cached_presets()
    listed = {"presets": names, "forms": FORMS, "cached": cached}
    _print(listed, as_json, lambda: shown.preset_lines(names | FORMS, cached))


@app.command()
def quickstart(
    out: Annotated[str, typer.Option(help="The run folder.")] = "runs/quickstart",
    models: Annotated[str, typer.Option(help="MODELS/NAME of the export.")] = "models/intent",
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune, export, serve and ask, on the banking questions in the repository."""
    from keras_ft.quickstart import quickstart as run_quickstart

    result = run_quickstart(out, models, overrides or [], shown.to_stderr)
    _print(result, as_json, lambda: shown.answer_lines(result["answers"]))


def _print(result: dict[str, Any], as_json: bool, lines: Any) -> None:
    print(json.dumps(result, ensure_ascii=False) if as_json else "\n".join(lines()), flush=True)


if __name__ == "__main__":
    main()
