"""No helm judges the chart here: its values, the paths its templates use, and the shape of what they would write."""

import re
import tomllib

import pytest
import yaml

import brokle
from brokle.settings.env import catalogue

CHART = brokle.HOUSE / "deploy" / "helm" / "brokle"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
TEMPLATES = sorted((CHART / "templates").iterdir())
MANIFESTS = [path for path in TEMPLATES if path.suffix == ".yaml"]
TEXT = "\n".join(path.read_text() for path in TEMPLATES)
SETTINGS = {setting.name for setting in catalogue()}

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_CALL = re.compile(r"include \"([a-z.A-Z]+)\"")
# By the role's arguments and volumes; of commands; by a file that one mounts and names in `extraEnv`; for tests.
_SET_OTHERWISE = {
    *("BROKLE_DATA_DIR", "BROKLE_HOST", "BROKLE_PORT", "BROKLE_ROLE", "BROKLE_WORKERS", "BROKLE_LOG_FILE"),
    *("BROKLE_URL", "BROKLE_API_KEY", "BROKLE_CONFIG_DIR"),
    *("BROKLE_CONFIG", "BROKLE_LICENSE_FILE"),
    *("BROKLE_DEV", "BROKLE_LICENSE_TEST_KEYS"),
}
_OF_ITS_LIBRARIES = {"DOCKER_CONFIG", "SSL_CERT_FILE"}  # read by Docker's client and by OpenSSL


def leaves(values, prefix=()):
    for name, value in values.items():
        yield (*prefix, name)
        if isinstance(value, dict) and value:
            yield from leaves(value, (*prefix, name))


def documents(path):
    """The template with actions taken out: lines of actions go, actions inside a line become a word."""
    lines = []
    for line in re.sub(r"\{\{/\*.*?\*/\}\}", "", path.read_text()).splitlines():
        if _ACTION.fullmatch(line.strip()):
            continue
        lines.append(_ACTION.sub("word", line))
    return [document for document in yaml.safe_load_all("\n".join(lines)) if document]


def kinds():
    return sorted((d["kind"], path.name) for path in MANIFESTS for d in documents(path))


def test_the_chart_has_the_version_of_the_package():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((brokle.HOUSE / "pyproject.toml").read_text())["project"]

    assert (chart["apiVersion"], chart["name"]) == ("v2", "brokle")
    assert chart["version"] == chart["appVersion"] == project["version"] == brokle.__version__


def test_every_value_a_template_uses_is_declared():
    used = {tuple(match.split(".")) for match in re.findall(r"\.Values\.([A-Za-z0-9_.]+)", TEXT)}

    assert used - set(leaves(VALUES)) == set()


def test_every_declared_value_is_used():
    used = {tuple(match.split(".")) for match in re.findall(r"\.Values\.([A-Za-z0-9_.]+)", TEXT)}
    ends = {path for path in leaves(VALUES) if not any(other[:-1] == path for other in leaves(VALUES))}

    assert {path for path in ends if not any(path[: len(u)] == u for u in used)} == set()


def test_every_named_template_is_defined_and_every_definition_used():
    defined = set(re.findall(r"define \"([a-zA-Z.]+)\"", TEXT))

    assert set(_CALL.findall(TEXT)) == defined


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_every_block_of_a_template_is_closed(path):
    words = [action.split()[0] for action in _ACTION.findall(path.read_text()) if action and action[0] != "/"]
    opened = sum(word in {"if", "with", "range", "define"} for word in words)

    assert opened == words.count("end")
    assert path.read_text().count("{{") == path.read_text().count("}}")


def test_the_manifests_are_those_of_the_map():
    assert kinds() == sorted(
        [
            ("Deployment", "executor.yaml"),
            ("Deployment", "worker.yaml"),
            ("HorizontalPodAutoscaler", "autoscalers.yaml"),
            ("HorizontalPodAutoscaler", "autoscalers.yaml"),
            ("HorizontalPodAutoscaler", "autoscalers.yaml"),
            ("Ingress", "ingress.yaml"),
            ("Job", "migration.yaml"),
            ("PodDisruptionBudget", "disruption.yaml"),
            ("PodDisruptionBudget", "disruption.yaml"),
            ("PodDisruptionBudget", "disruption.yaml"),
            ("Role", "executor.yaml"),
            ("RoleBinding", "executor.yaml"),
            ("Secret", "secrets.yaml"),
            ("Secret", "secrets.yaml"),
            ("Service", "services.yaml"),
            ("Service", "services.yaml"),
            ("ServiceAccount", "executor.yaml"),
            ("ServiceAccount", "serviceaccount.yaml"),
            ("StatefulSet", "edge.yaml"),
            ("StatefulSet", "web.yaml"),
        ]
    )


@pytest.mark.parametrize(("role", "token"), [("web", False), ("edge", False), ("worker", False), ("executor", True)])
def test_each_role_runs_as_itself_and_only_the_executor_may_ask_the_cluster(role, token):
    workload = documents(CHART / "templates" / f"{role}.yaml")[0]
    pod = workload["spec"]["template"]["spec"]

    assert [container["args"][:3] for container in pod["containers"]] == [["serve", "--role", role]]
    assert pod["automountServiceAccountToken"] is token


def set_by_the_chart():
    return {*re.findall(r"- name: ([A-Z][A-Z_]+)", TEXT), *VALUES["secrets"], *VALUES["settings"]}


def test_every_setting_of_an_installation_can_be_set_and_secrets_only_in_a_secret():
    assert SETTINGS - set_by_the_chart() == _SET_OTHERWISE
    assert {setting.name for setting in catalogue() if setting.secret} & set(VALUES["settings"]) == set()
    assert set(VALUES["settings"].values()) == {""}


def test_every_setting_the_chart_sets_exists():
    named = set_by_the_chart()

    assert named - SETTINGS - _OF_ITS_LIBRARIES == set()
    assert {"DATABASE_REPLICA_URL", "BROKLE_STATIC_URL"} <= named


def test_no_secret_stands_in_the_values():
    assert set(VALUES["secrets"].values()) == {""}
    assert VALUES["registry"]["password"] == ""


def test_pods_run_without_privileges():
    for line in ("runAsNonRoot: true", "allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true"):
        assert TEXT.count(line) == 1
    assert "docker.sock" not in TEXT


def test_no_pod_is_believed_about_whom_it_calls_for_until_it_is_named():
    assert VALUES["trustedProxies"] == []
