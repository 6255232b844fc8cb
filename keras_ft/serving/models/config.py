"""Which models a server holds and which of their versions: from folders, or from TF Serving's `models.config`."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import Error as ProtoError

from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath
from keras_ft.serving.models.version_folders import find_version

PLATFORM = "tensorflow"


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions in a model's folder are served: the latest N, those that are named, or all of them.

    Attributes:
        latest: how many, from the highest number down; 0 where `specific` says which, and for all.
        specific: these, where they are there.
    """

    latest: int = 1
    specific: frozenset[int] = frozenset()

    def wanted(self, found: Collection[int]) -> set[int]:
        """Those of the versions found that are to be served."""
        if self.specific:
            return set(found) & self.specific
        return set(sorted(found, reverse=True)[: self.latest or None])


ALL_VERSIONS = VersionPolicy(latest=0)


@dataclass(frozen=True)
class ModelConfig:
    """A model that is to be served.

    Attributes:
        name: in requests.
        base_path: the folder, here or in an object store, that holds one numbered folder a version.
        policy: which versions.
        labels: names that stand for versions.
    """

    name: str
    base_path: str
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)


def configs_of_folders(folders: Iterable[AnyPath]) -> list[ModelConfig]:
    """`MODELS/NAME` (its latest version) and `MODELS/NAME/N` (that version), in any mix.

    Raises:
        RequestError: a folder does not exist, has no numbered version folder, or holds no SavedModel.
    """
    found: dict[str, ModelConfig] = {}
    for folder in folders:
        version = find_version(folder)
        base = version.base_path
        policy = VersionPolicy(latest=0, specific=frozenset([version.number])) if version.asked_for else VersionPolicy()
        other = found.get(version.name)
        if other is not None and (base != other.base_path or not (version.asked_for and other.policy.specific)):
            raise RequestError(
                f"{folder}: {version.name} is already served from {other.base_path}; name each model once"
            )
        if other is not None:
            policy = VersionPolicy(latest=0, specific=policy.specific | other.policy.specific)
        found[version.name] = ModelConfig(version.name, base, policy)
    return list(found.values())


def read_model_config_file(path: AnyPath) -> list[ModelConfig]:
    """Read `models.config`: a `ModelServerConfig` in protobuf's text format.

    Raises:
        RequestError: the file cannot be read, or asks for what cannot be served.
    """
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    try:
        config = text_format.Parse(Path(path).read_text(encoding="utf-8"), ModelServerConfig())
        return configs_of_proto(config)
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}; give a file with a model_config_list") from None
    except (UnicodeDecodeError, ProtoError, text_format.ParseError) as error:
        raise RequestError(f"{path}: {error}; it should be a ModelServerConfig in text format") from None
    except ValueError as error:
        raise RequestError(f"{path}: {error}") from None


def configs_of_proto(config: Any) -> list[ModelConfig]:
    """The models of a `ModelServerConfig`.

    Raises:
        ValueError: it asks for what cannot be served.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise ValueError("only a model_config_list is supported")
    models = [_config(it) for it in config.model_config_list.config]
    names = [it.name for it in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"model {twice} is there twice; name each model once")
    return models


def _config(proto: Any) -> ModelConfig:
    if not proto.name or not proto.base_path:
        raise ValueError("each config needs a name and a base_path")
    if proto.model_platform != PLATFORM and proto.model_type != 1:  # 1: the old way to say the same
        raise ValueError(f"model {proto.name}: model_platform should be {PLATFORM}, given {proto.model_platform!r}")
    return ModelConfig(proto.name, proto.base_path, _policy(proto), dict(proto.version_labels))


def _policy(proto: Any) -> VersionPolicy:
    policy = proto.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return ALL_VERSIONS
    if kind == "specific":
        if not policy.specific.versions:
            raise ValueError(f"model {proto.name}: a specific version policy should name versions")
        return VersionPolicy(latest=0, specific=frozenset(policy.specific.versions))
    return VersionPolicy(latest=policy.latest.num_versions or 1)
