"""An export with an index asks itself queries, one by one, through a Session as in TF Serving; `search.py` runs it.

python benchmarks/search_session.py VERSION_FOLDER K < QUERIES.json
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from keras_ft.serving.models.session_model import SessionModel

WARM_UP = 20


def main(folder: Path, k: int, queries: list[str]) -> dict[str, list]:
    """Milliseconds of each query and of encoding it alone, and what was found."""
    served = SessionModel(folder)
    found: dict[str, list] = {"milliseconds": [], "encoding": [], "ids": [], "scores": []}
    wanted = np.array([k], np.int32)
    for number, text in enumerate([*queries[:WARM_UP], *queries]):
        texts = np.array([text.encode()], object)
        start = time.perf_counter()
        answer = served.predict("search", {"text": texts, "k": wanted})
        middle = time.perf_counter()
        served.predict("embedding", {"text": texts})
        end = time.perf_counter()
        if number >= WARM_UP:
            found["milliseconds"].append(1000 * (middle - start))
            found["encoding"].append(1000 * (end - middle))
            found["ids"].append([name.decode() for name in answer["ids"][0]])
            found["scores"].append(answer["scores"][0].tolist())
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), json.load(sys.stdin))))
