"""`python -m keras_ft.serving MODELS/NAME …`: the server as a process of its own."""

import argparse
import logging
import os
import sys

from keras_ft.errors import KerasFTError
from keras_ft.serving.server import print_ready, serve


def main() -> int:
    """Serve the folders given as arguments; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m keras_ft.serving", description="Serve SavedModel folders.")
    parser.add_argument("models", nargs="+", metavar="MODELS/NAME", help="a model folder, or one version of it")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--rest-port", default=8501, type=int, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object when the server is ready")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        serve(arguments.models, arguments.host, arguments.rest_port, print_ready if arguments.json else None)
    except KerasFTError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
