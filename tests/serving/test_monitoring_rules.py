"""serving/prometheus and serving/grafana: alerts, dashboard and autoscalers ask for metrics that a server has."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVING = ROOT / "serving"
ALERTS = SERVING / "prometheus" / "alerts.yml"
TESTS_OF_ALERTS = Path(__file__).with_name("alerts_test.yml")
HISTOGRAM = ("_bucket", "_sum", "_count")
TENSORFLOW_SERVING = {  # of TF Serving 2.20 → its labels
    ":tensorflow:serving:request_count": {"model_name", "status"},
    **{f":tensorflow:serving:request_latency{it}": {"model_name", "API", "entrypoint"} for it in HISTOGRAM},
    **{f":tensorflow:serving:runtime_latency{it}": {"model_name", "API", "runtime"} for it in HISTOGRAM},
    **{f":tensorflow:serving:batching_session:queuing_latency{it}": {"thread_pool_name"} for it in HISTOGRAM},
    ":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"},
}
KERAS_FT = {  # of the embedded server
    "keras_ft_requests_total": {"model_name", "version", "signature", "api", "code"},
    **{f"keras_ft_request_seconds{it}": {"model_name", "signature", "api"} for it in HISTOGRAM},
    **{f"keras_ft_queue_seconds{it}": {"model_name", "signature"} for it in HISTOGRAM},
    **{f"keras_ft_run_seconds{it}": {"model_name", "signature"} for it in HISTOGRAM},
    **{f"keras_ft_batch_rows{it}": {"model_name", "signature"} for it in HISTOGRAM},
    "keras_ft_queued_rows": {"model_name"},
    "keras_ft_rows_total": {"model_name", "version", "signature"},
    "keras_ft_text_characters_total": {"model_name"},
    "keras_ft_tokens_total": {"model_name"},
    "keras_ft_padding_ratio": {"model_name"},
    "keras_ft_drift_psi": {"model_name", "version", "of"},
    "keras_ft_model_available": {"model_name", "version"},
}
METRICS = {**TENSORFLOW_SERVING, **KERAS_FT, "up": set()}
OF_PROMETHEUS = {"job", "instance", "le", "namespace", "pod"}


def alerts() -> list[dict]:
    return [rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def dashboard() -> dict:
    return json.loads((SERVING / "grafana" / "dashboards" / "serving.json").read_text(encoding="utf-8"))


def adapter_rules() -> list[dict]:
    path = SERVING / "kubernetes" / "prometheus" / "adapter_values.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))["rules"]["custom"]


def queries() -> list[tuple[str, str]]:
    """Every query, with where it stands; what Grafana and the adapter fill in is filled in."""
    found = [(rule["alert"], rule["expr"]) for rule in alerts()]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            found.append((panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$model", ".*")))
    for rule in adapter_rules():
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'pod="a"')
        found += [(rule["name"]["as"], query), (rule["name"]["as"], rule["seriesQuery"])]
    return found


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """The metrics of a query, each with the labels that it is selected by."""
    found = []

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def grouping_labels(query: str) -> set[str]:
    return {
        name.strip() for names in re.findall(r"\b(?:by|on|ignoring) \(([^)]*)\)", query) for name in names.split(",")
    }


@pytest.mark.parametrize(("place", "query"), queries())
def test_every_query_asks_for_metrics_and_labels_that_a_server_has(place, query):
    found = selectors(query)
    assert found
    labels = set(OF_PROMETHEUS)
    for name, selected in found:
        assert name in METRICS, name
        assert selected <= METRICS[name] | OF_PROMETHEUS, (name, selected)
        labels |= METRICS[name]
    assert grouping_labels(query) <= labels


def test_alerts_cover_both_servers_and_carry_what_a_person_needs():
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for what in ("Errors", "Slow", "Refuses", "QueueGrows", "Restarts"):
        assert {f"TensorFlowServing{what}", f"KerasFT{what}"} <= set(names)
    assert {"NoModelServer", "TensorFlowServingVersionNotLoaded", "KerasFTNoVersion", "KerasFTDrift"} <= set(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_every_alert_is_in_the_documentation_and_has_a_case_where_it_fires():
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    cases = yaml.safe_load(TESTS_OF_ALERTS.read_text(encoding="utf-8"))["tests"]
    tested = [case for group in cases for case in group["alert_rule_test"]]
    names = {rule["alert"] for rule in alerts()}
    assert {case["alertname"] for case in tested if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in tested if not case.get("exp_alerts")} == names
    for name in names:
        assert f"`{name}`" in page, name


def test_the_dashboard_shows_what_there_is_and_no_panel_lies_on_another():
    panels = dashboard()["panels"]
    shown = {
        name
        for panel in panels
        for it in panel.get("targets", [])
        for name, _ in selectors(it["expr"].replace("$__rate_interval", "1m").replace("$model", ".*"))
    }
    measured = {re.sub("_(bucket|sum|count|total)$", "", name) for name in KERAS_FT}
    assert {re.sub("_(bucket|sum|count|total)$", "", name) for name in shown} >= measured
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_grafana_finds_its_data_source_and_dashboard():
    provisioning = SERVING / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    services = yaml.safe_load((SERVING / "compose.yaml").read_text())["services"]
    assert source["type"] == "prometheus"
    assert re.fullmatch(r"http://(\S+):9090", source["url"])[1] in services
    mounted = {mount["target"] for mount in services["grafana"]["volumes"]}
    provider = yaml.safe_load((provisioning / "dashboards" / "serving.yaml").read_text())["providers"][0]
    assert provider["options"]["path"] in mounted
    assert {it["name"] for it in dashboard()["templating"]["list"]} == {"datasource", "model"}


def test_prometheus_finds_the_servers_under_the_jobs_that_the_alerts_name():
    config = yaml.safe_load((SERVING / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job["dns_sd_configs"][0]["names"] for job in config["scrape_configs"]}
    services = yaml.safe_load((SERVING / "compose.yaml").read_text())["services"]
    assert jobs == {name: [name] for name in ("tensorflow-serving", "keras-ft")}
    assert jobs.keys() <= services.keys()
    named = set(re.findall(r'job=~?"([^"]*)"', ALERTS.read_text(encoding="utf-8")))
    assert {job for names in named for job in names.split("|")} == jobs.keys()


def test_autoscalers_read_metrics_that_the_adapter_makes():
    made = {rule["name"]["as"] for rule in adapter_rules()}
    for server in ("keras-ft", "tensorflow-serving"):
        scaler = yaml.safe_load((SERVING / "kubernetes" / server / "autoscaler.yaml").read_text())
        assert {it["pods"]["metric"]["name"] for it in scaler["spec"]["metrics"] if it["type"] == "Pods"} <= made


def test_promtool_takes_rules_and_configuration_and_each_alert_fires_when_it_should_and_only_then():
    promtool = shutil.which("promtool") or shutil.which("promtool", path=ROOT / ".venv" / "bin")
    if promtool is None:
        pytest.skip("promtool is not here: make promtool")
    for arguments in (
        ["check", "rules", ALERTS],
        ["check", "config", SERVING / "prometheus" / "prometheus.yml"],
        ["test", "rules", TESTS_OF_ALERTS],
    ):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
