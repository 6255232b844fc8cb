"""Models of Hugging Face's and Kaggle's hubs, fetched by their own clients to their own caches."""

import json
import re
import sys
from pathlib import Path

from keras_ft.errors import RequestError, WorkError
from keras_ft.presets.family import BERT, FAMILIES

HF = "hf://"
KAGGLE = "kaggle://"
WEIGHTS = ["model.safetensors", "model.safetensors.index.json", "model.weights.h5", "model.weights.json"]
# What is needed of a transformers repository and of a keras-hub preset; not the copies for other frameworks.
FILES = [
    "config.json",
    *WEIGHTS,
    *("model-*-of-*.safetensors", "model_*.weights.h5"),
    *(
        "vocab.txt",
        *("sentencepiece.bpe.model", "spiece.model"),
        "vocab.json",
        "merges.txt",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ),
    "1_Pooling/config.json",
    *("keras_ft.json", "metadata.json"),
    "assets/tokenizer/*",
]


def fetch_hugging_face(name: str) -> Path:
    """The local folder of `hf://org/name` or `hf://org/name@revision`; the config comes first, and then the rest.

    Raises:
        RequestError: there is no such repository or revision, it is private or gated, or holds no model of a known
            family.
        WorkError: it could not be fetched.
    """
    repository, _, revision = name.removeprefix(HF).partition("@")
    if not re.fullmatch(r"([\w.-]+/)?[\w.-]+", repository):
        raise RequestError(f"backbone {name} should look like hf://org/name or hf://org/name@revision")
    folder = _snapshot(name, repository, revision or None, ["config.json"])
    _check_family(name, folder / "config.json")
    return _snapshot(name, repository, revision or None, FILES)


def fetch_kaggle(name: str) -> Path:
    """The local folder of `kaggle://user/model/keras/variation` or `…/version`.

    Which version is the newest only Kaggle knows; where it cannot be reached, the highest cached one is taken, and a
    line on stderr says so.

    Raises:
        RequestError: there is no such model, it is private or gated, or the name is not of this form.
        WorkError: it could not be fetched.
    """
    import kagglehub
    from kagglehub.exceptions import UnauthenticatedError

    handle = name.removeprefix(KAGGLE)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+/keras/[\w.-]+(/\d+)?", handle, re.IGNORECASE):
        raise RequestError(
            f"backbone {name} should look like kaggle://user/model/keras/variation or …/variation/version"
        )
    try:
        return Path(kagglehub.model_download(handle))
    except UnauthenticatedError as error:
        raise RequestError(
            f"backbone {name}: Kaggle wants to know who asks ({_line(error)}); set KAGGLE_API_TOKEN"
        ) from None
    except Exception as error:  # requests', Kaggle's and the operating system's
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403, 404):
            raise RequestError(
                f"backbone {name} does not exist, is private, or wants its terms accepted on kaggle.com ({status});"
                " check the name, or set KAGGLE_API_TOKEN"
            ) from None
        cached = _newest_cached(handle) if _is_unreachable(error) else None
        if cached is None:
            raise WorkError(f"backbone {name} could not be fetched ({_line(error)}); check the network") from error
        print(f"Kaggle cannot be reached: {name} is taken from the cache, version {cached.name}", file=sys.stderr)
        return cached


def _is_unreachable(error: Exception) -> bool:
    import requests  # of kagglehub

    return isinstance(error, requests.ConnectionError | requests.Timeout | ConnectionError | TimeoutError)


def _newest_cached(handle: str) -> Path | None:
    """The folder of the highest version of an unversioned handle that lies whole in Kaggle's cache."""
    from kagglehub.config import get_cache_folder

    folder = Path(get_cache_folder(), "models", handle)  # VERSION/, and VERSION.complete once all of it is there
    versions = [int(path.stem) for path in folder.glob("*.complete") if path.stem.isdecimal()]
    whole = [folder / str(version) for version in sorted(versions) if (folder / str(version)).is_dir()]
    return whole[-1] if whole else None


def _snapshot(name: str, repository: str, revision: str | None, files: list[str]) -> Path:
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=files))
    except errors.GatedRepoError:
        raise RequestError(
            f"backbone {name} is gated: accept its terms on huggingface.co/{repository} and log in with 'hf auth login'"
        ) from None
    except errors.RevisionNotFoundError:
        raise RequestError(f"backbone {name}: {repository} has no revision {revision!r}") from None
    except errors.RepositoryNotFoundError:
        raise RequestError(
            f"backbone {name} does not exist or is private; check the name, or log in with 'hf auth login'"
        ) from None
    except errors.HFValidationError as error:
        raise RequestError(f"backbone {name} is no name of a repository ({_line(error)})") from None
    except errors.LocalEntryNotFoundError as error:
        raise WorkError(
            f"backbone {name} is not in the local cache, and huggingface.co cannot be reached ({_line(error)});"
            " check the network and HF_HUB_OFFLINE, or give a folder"
        ) from error
    except Exception as error:  # the HTTP client's and the operating system's
        raise WorkError(f"backbone {name} could not be fetched ({_line(error)}); check the network") from error


def _check_family(name: str, path: Path) -> None:
    """Refuse what is of no known family before its weights are fetched."""
    if not path.is_file():
        raise RequestError(f"backbone {name} has no config.json: it holds no model that can be read here")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        family = config.get("class_name", "") if "registered_name" in config else config.get("model_type", BERT.name)
    except (ValueError, AttributeError):
        raise RequestError(f"backbone {name}: its config.json is not a JSON object") from None
    if family not in [known for each in FAMILIES.values() for known in (each.name, each.backbone)]:
        raise RequestError(f"backbone {name} is a {family} model; supported are {', '.join(FAMILIES)}")


def cached_models() -> list[str]:
    """The models in both hubs' caches, as `backbone:` takes them."""
    return [*_cached_hugging_face(), *_cached_kaggle()]


def _cached_hugging_face() -> list[str]:
    from huggingface_hub import constants

    configs = sorted(Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*/config.json"))
    repositories = [path.parts[-4].removeprefix("models--").replace("--", "/") for path in configs if _is_whole(path)]
    return [f"{HF}{repository}" for repository in dict.fromkeys(repositories)]


def _cached_kaggle() -> list[str]:
    from kagglehub.config import get_cache_folder

    folder = Path(get_cache_folder()) / "models"
    configs = sorted(folder.glob("*/*/keras/*/*/config.json"))
    return [f"{KAGGLE}{path.parent.relative_to(folder).as_posix()}" for path in configs if _is_whole(path)]


def _is_whole(config: Path) -> bool:
    """Whether a cached config is that of a known family and has weights beside it."""
    try:
        _check_family("", config)
    except RequestError:
        return False
    return any((config.parent / name).is_file() for name in WEIGHTS)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
