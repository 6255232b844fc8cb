"""`models.config` in TF Serving's text format."""

import re

import pytest

from keras_ft.errors import RequestError
from keras_ft.serving.models.config import ALL_VERSIONS, ModelConfig, VersionPolicy, read_model_config_file

# The form of TF Serving's documentation (g3doc/serving_config.md).
DOCUMENTED = """
model_config_list {
  config {
    name: 'my_first_model'
    base_path: '/tmp/my_first_model/'
    model_platform: 'tensorflow'
  }
  config {
    name: 'my_second_model'
    base_path: '/tmp/my_second_model/'
    model_platform: 'tensorflow'
    model_version_policy { specific { versions: 42 versions: 43 } }
    version_labels { key: 'stable' value: 42 }
    version_labels { key: 'canary' value: 43 }
  }
  config { name: "all" base_path: "gs://bucket/all" model_type: TENSORFLOW model_version_policy: { all: {} } }
  config { name: "two" base_path: "/two" model_platform: "tensorflow" model_version_policy { latest { num_versions: 2 } } }
}
"""


def test_the_documented_form_is_read(tmp_path):
    file = tmp_path / "models.config"
    file.write_text(DOCUMENTED)
    both = VersionPolicy(latest=0, specific=frozenset([42, 43]))
    assert read_model_config_file(file) == [
        ModelConfig("my_first_model", "/tmp/my_first_model/"),
        ModelConfig("my_second_model", "/tmp/my_second_model/", both, {"stable": 42, "canary": 43}),
        ModelConfig("all", "gs://bucket/all", ALL_VERSIONS),
        ModelConfig("two", "/two", VersionPolicy(latest=2)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("", "only a model_config_list is supported"),
        ("model_config_list {", "should be a ModelServerConfig in text format"),
        ("models { }", 'has no field named "models"'),
        ("custom_model_config { }", "only a model_config_list is supported"),
        ('model_config_list { config { name: "a" } }', "each config needs a name and a base_path"),
        (
            'model_config_list { config { name: "a" base_path: "/a" model_platform: "pytorch" } }',
            "model a: model_platform should be tensorflow, given 'pytorch'",
        ),
        (
            'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" }'
            ' config { name: "a" base_path: "/b" model_platform: "tensorflow" } }',
            "model a is there twice",
        ),
        (
            'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow"'
            " model_version_policy { specific { } } } }",
            "model a: a specific version policy should name versions",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path, text, message):
    file = tmp_path / "models.config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RequestError, match=re.escape(message)) as error:
        read_model_config_file(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)
