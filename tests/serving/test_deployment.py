"""serving/: what Compose, Kubernetes and TF Serving are given holds to their schemas, and hangs together."""

import re
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import kubernetes_validate
import pytest
import typer
import yaml
from compose_spec import PyCompose
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

import keras_ft
from keras_ft.cli import app
from keras_ft.huge_pages import TUNABLE

ROOT = Path(__file__).resolve().parents[2]
SERVING = ROOT / "serving"
KUBERNETES = SERVING / "kubernetes"
SERVERS = ("keras-ft", "tensorflow-serving")
MOUNTED_CONFIG = "/etc/serving/"
OLDEST, NEWEST = "1.29", "1.33"


def compose() -> dict:
    """compose.yaml as Compose reads it: every variable at its default, and merge keys carried out."""
    text = (SERVING / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))


def resources(server: str) -> dict[str, dict]:
    """What `kubectl apply --kustomize` would send, less the ConfigMap: kind → manifest."""
    found = {}
    for folder in (KUBERNETES / server, KUBERNETES / "shared"):
        for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
            if name.endswith(".yaml"):
                for manifest in yaml.safe_load_all((folder / name).read_text()):
                    found[manifest["kind"]] = manifest
    return found


def container(server: str) -> dict:
    return resources(server)["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def image_command() -> list[str]:
    """What the embedded server's image runs."""
    text = (SERVING / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        word
        for instruction in ("ENTRYPOINT", "CMD")
        for word in yaml.safe_load(re.search(rf"^{instruction} (\[.*\])$", text, re.MULTILINE)[1])
    ]


def test_compose_follows_the_specification():
    text = yaml.safe_dump(compose())
    spec = PyCompose.from_yaml(text).to_spec()
    assert spec.services.keys() == {*SERVERS, "prometheus", "grafana"}
    with pytest.raises(ValueError, match="restrt"):
        PyCompose.from_yaml(text.replace("restart:", "restrt:"))


def test_compose_services_are_pinned_restarted_limited_and_cannot_write_what_they_read():
    services = compose()["services"]
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        assert service["restart"] == "unless-stopped"
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
        for mount in service["volumes"]:
            assert mount.get("read_only") or mount["type"] == "volume", mount
            if mount["type"] == "bind" and mount["target"] != "/models":
                assert (SERVING / mount["source"]).is_dir(), mount
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert "healthcheck" in service or name == "keras-ft"  # which has its image's
    assert services["keras-ft"]["image"] == f"keras-ft:{keras_ft.__version__}"
    assert (SERVING / services["keras-ft"]["build"]["context"]).resolve() == ROOT


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("server", SERVERS)
def test_manifests_follow_the_schemas_of_kubernetes(server, version):
    found = resources(server)
    kinds = {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "PersistentVolumeClaim"}
    assert found.keys() == kinds
    for manifest in found.values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_key_of_a_manifest_would_be_found():
    manifest = resources("keras-ft")["Deployment"]
    pod = manifest["spec"]["template"]["spec"]
    pod["terminationGracePeriod"] = pod.pop("terminationGracePeriodSeconds")
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


@pytest.mark.parametrize("server", SERVERS)
def test_manifests_name_one_another_rightly(server):
    found = resources(server)
    template = found["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    for selector in (
        found["Deployment"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        yaml.safe_load((KUBERNETES / "prometheus" / "pod_monitor.yaml").read_text())["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    ports = {port["name"] for port in container(server)["ports"]}
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == ports == {"grpc", "rest"}
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    assert {mount["name"] for mount in container(server)["volumeMounts"]} == volumes.keys()
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == found["PersistentVolumeClaim"]["metadata"]["name"]
    generator = yaml.safe_load((SERVING / "config" / "kustomization.yaml").read_text())["configMapGenerator"][0]
    assert volumes["config"]["configMap"]["name"] == generator["name"]
    assert {*generator["files"], "kustomization.yaml"} == {path.name for path in (SERVING / "config").iterdir()}


@pytest.mark.parametrize("server", SERVERS)
def test_pods_run_without_rights_they_do_not_need_and_end_in_order(server):
    spec = resources(server)["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    limits = container(server)["securityContext"]
    assert limits["readOnlyRootFilesystem"]
    assert not limits["allowPrivilegeEscalation"]
    assert limits["capabilities"] == {"drop": ["ALL"]}
    wait = int(container(server)["lifecycle"]["preStop"]["exec"]["command"][1])
    assert 0 < wait < spec["terminationGracePeriodSeconds"]
    assert container(server)["resources"].keys() == {"requests", "limits"}


def test_the_embedded_server_is_asked_its_own_urls_and_tf_serving_for_its_models():
    mine, theirs = container("keras-ft"), container("tensorflow-serving")
    paths = {name: mine[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    assert "/readyz" in (SERVING / "Dockerfile").read_text().split("HEALTHCHECK")[1]
    command = compose()["services"]["tensorflow-serving"]["healthcheck"]["test"][1:]
    assert command == theirs["startupProbe"]["exec"]["command"] == theirs["readinessProbe"]["exec"]["command"]


def test_each_file_that_a_server_is_given_is_there():
    commands = [
        image_command(),
        compose()["services"]["tensorflow-serving"]["command"],
        container("tensorflow-serving")["args"],
        container("tensorflow-serving")["readinessProbe"]["exec"]["command"],
    ]
    for command in commands:
        named = [word.partition("=")[2] or word for word in command if MOUNTED_CONFIG in word]
        assert named
        for path in named:
            assert (SERVING / "config" / path.removeprefix(MOUNTED_CONFIG)).is_file(), path


def test_tensorflow_serving_has_its_memory_in_huge_pages_as_the_embedded_server_has():
    wanted = {"GLIBC_TUNABLES": f"{TUNABLE}=1"}
    assert compose()["services"]["tensorflow-serving"]["environment"] == wanted
    assert {entry["name"]: entry["value"] for entry in container("tensorflow-serving")["env"]} == wanted


def test_the_image_starts_the_server_with_options_it_has():
    command = image_command()
    assert command[:2] == ["keras-ft", "serve"]
    known = {option for it in typer.main.get_command(app).commands["serve"].params for option in it.opts}
    assert {word for word in command if word.startswith("--")} <= known


def test_the_image_is_made_of_files_that_are_there_and_runs_as_nobody():
    text = (SERVING / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
    assert "--constraint constraints.txt" in text
    assert re.findall(r"^USER (\d+):", text, re.MULTILINE) == ["10001"]


def message(name: str, fields: dict[str, str], **nested: dict[str, str]):
    """A message of protobuf that tensorflow-serving-api leaves out: field → type, in the order of its .proto."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="t", syntax="proto3")
    for message_name, its_fields in {**nested, name: fields}.items():
        declared = file.message_type.add(name=message_name)
        for number, (field, kind) in enumerate(its_fields.items(), start=1):
            repeated, kind = kind.startswith("repeated "), kind.removeprefix("repeated ")
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in {**nested}:
                declared.field.add(
                    name=field, number=number, label=label, type=kinds.TYPE_MESSAGE, type_name=f".t.{kind}"
                )
            else:
                declared.field.add(name=field, number=number, label=label, type=getattr(kinds, f"TYPE_{kind.upper()}"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}"))()


def parsed(file: str, empty):
    return text_format.Parse((SERVING / "config" / file).read_text(encoding="utf-8"), empty)


def test_models_and_monitoring_are_what_tf_serving_parses():
    (model,) = parsed("models.config", ModelServerConfig()).model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("intent", "/models/intent", "tensorflow")
    declared = message(
        "MonitoringConfig",
        {"prometheus_config": "PrometheusConfig"},
        PrometheusConfig={"enable": "bool", "path": "string"},
    )
    monitoring = parsed("monitoring.config", declared).prometheus_config
    assert monitoring.enable
    jobs = yaml.safe_load((SERVING / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert {job["metrics_path"] for job in jobs} == {monitoring.path}


def test_batching_is_what_tf_serving_parses_and_takes():
    declared = message(
        "BatchingParameters",
        {
            **dict.fromkeys(
                ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"), "Int64Value"
            ),
            "thread_pool_name": "StringValue",
            "allowed_batch_sizes": "repeated int64",
            "pad_variable_length_inputs": "bool",
            "enable_large_batch_splitting": "BoolValue",
            "max_execution_batch_size": "Int64Value",
        },
        Int64Value={"value": "int64"},
        StringValue={"value": "string"},
        BoolValue={"value": "bool"},
    )
    batching = parsed("batching.config", declared)
    at_once, waiting = batching.max_execution_batch_size.value, batching.max_enqueued_batches.value
    assert batching.enable_large_batch_splitting.value
    assert 0 < at_once <= batching.max_batch_size.value <= at_once * waiting
    assert list(batching.allowed_batch_sizes) == []  # they would have rows computed for nothing
    flags = compose()["services"]["tensorflow-serving"]["command"]
    assert f"--tensorflow_intra_op_parallelism={batching.num_batch_threads.value}" in flags


class Status(BaseHTTPRequestHandler):
    """A server of models: `ready` is available, `late` is still loading, others are not there."""

    states = {"/v1/models/ready": "AVAILABLE", "/v1/models/late": "LOADING"}  # noqa: RUF012

    def do_GET(self):
        state = self.states.get(self.path)
        self.send_response(200 if state else 404)
        self.end_headers()
        self.wfile.write(b'{"model_version_status": [{"version": "1", "state": "%s"}]}' % (state or "-").encode())

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (["ready"], ""),
        (["ready", "late"], "late has no version that is available\n"),
        (["absent", "ready"], "absent has no version that is available\n"),
        ([], "{config} names no model\n"),
    ],
)
def test_a_server_is_ready_when_each_of_its_models_is(names, answer, tmp_path):
    config = tmp_path / "models.config"
    config.write_text("".join(f'  config {{\n    name: "{name}"\n    base_path: "/m/x"\n  }}\n' for name in names))
    with ThreadingHTTPServer(("127.0.0.1", 0), Status) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        command = ["bash", SERVING / "config" / "ready.sh", config, str(server.server_port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        server.shutdown()
    assert (done.returncode, done.stdout) == (1 if answer else 0, answer.format(config=config))
    silent = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert silent.returncode == 1  # nobody listens any more
