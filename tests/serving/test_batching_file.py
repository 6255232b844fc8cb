import dataclasses
import os

import pytest

from keras_ft.errors import RequestError
from keras_ft.serving.batching.file import read_batching_file
from keras_ft.serving.batching.parameters import BatchingParameters


@pytest.fixture
def read(tmp_path):
    def read(text, **settings):
        path = tmp_path / "batching.config"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_batching_file(path, **settings)

    return read


def test_every_field_of_tf_servings_file_is_read(read):
    parameters = read(
        """
        # TF Serving's guide
        max_batch_size { value: 128 }
        batch_timeout_micros { value: 500 }
        max_enqueued_batches { value: 1000000 }
        num_batch_threads { value: 8 }
        thread_pool_name { value: "批" }
        allowed_batch_sizes: 8
        allowed_batch_sizes: [16, 32]
        pad_variable_length_inputs: true
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 32 }
        """,
        max_queue_delay=0.5,
    )
    assert dataclasses.astuple(parameters) == (128, 500, 1000000, 8, "批", (8, 16, 32), True, True, 32, 0.5)
    assert (parameters.batch_rows, parameters.queue_rows) == (32, 32_000_000)


def test_an_empty_file_means_the_defaults(read):
    assert read("") == BatchingParameters()
    assert BatchingParameters().num_batch_threads == os.cpu_count()


def test_max_execution_batch_size_counts_only_where_batches_are_split(read):
    parameters = read("enable_large_batch_splitting { value: false } max_execution_batch_size { value: 32 }")
    assert (parameters.batch_rows, parameters.queue_rows) == (64, 6400)


def test_sizes_that_end_with_tf_servings_default_need_no_max_batch_size(read):
    assert read("allowed_batch_sizes: [10, 1000]").batch_rows == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size is 0; it must be 1 or more"),
        ("max_batch_size { }", "max_batch_size is 0; it must be 1 or more"),
        ("max_batch_size { value: -3 }", "max_batch_size is -3; it must be 1 or more"),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches is 0; it must be 1 or more"),
        ("num_batch_threads { value: 0 }", "num_batch_threads is 0; it must be 1 or more"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros is -1; it must be 0 or more"),
        (
            "max_batch_size { value: 8 } max_execution_batch_size { value: 9 }",
            "max_execution_batch_size is 9; it must be at most max_batch_size, which is 8",
        ),
        ("max_execution_batch_size { value: 0 }", "max_execution_batch_size is 0; it must be 1 or more"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: [4, 2, 8]",
            "allowed_batch_sizes is [4, 2, 8]; each size must be larger than the one before",
        ),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: [4, 4, 8]",
            "allowed_batch_sizes is [4, 4, 8]; each size must be larger than the one before",
        ),
        ("max_batch_size { value: 8 } allowed_batch_sizes: [0, 8]", "allowed_batch_sizes is 0; it must be 1 or more"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]",
            "allowed_batch_sizes ends with 4; it must end with max_batch_size: 8",
        ),
        (
            "max_batch_size { value: 8 } max_execution_batch_size { value: 4 } allowed_batch_sizes: 8",
            "allowed_batch_sizes ends with 8; it must end with max_execution_batch_size: 4",
        ),
        (
            "allowed_batch_sizes: [2, 4]",
            "max_batch_size is not given, which TF Serving takes for 1000, but allowed_batch_sizes ends with 4; "
            "add max_batch_size { value: 4 }",
        ),
        ("max_batch_size: 64", '''1:17 : 'max_batch_size: 64': Expected "{"'''),
        (
            "\nmax_batch { value: 64 }",
            '2:1 : Message type "tensorflow.serving.BatchingParameters" has no field named "max_batch',
        ),
        ("num_batch_threads { value: many }", "Couldn't parse integer: many"),
        ("max_batch_size { value: 9223372036854775808 }", "out of range"),
        ('{"max_batch_size": 64}', "fields are allowed_batch_sizes, batch_timeout_micros, "),
        (b"\xff\xfe", "cannot be read (it is not UTF-8 text)"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(read, tmp_path, text, message):
    with pytest.raises(RequestError) as error:
        read(text)
    assert str(error.value).startswith(f"{tmp_path / 'batching.config'}")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(RequestError, match="nothing.config: no such file; give a batching parameters file"):
        read_batching_file(tmp_path / "nothing.config")
    with pytest.raises(RequestError, match="cannot be read \\(Is a directory\\)"):
        read_batching_file(tmp_path)


@pytest.mark.parametrize("delay", [0, -1.0, float("nan")])
def test_a_bound_on_the_wait_must_be_positive(delay):
    with pytest.raises(RequestError, match="max_queue_delay is .*; it must be a positive number of seconds"):
        BatchingParameters(max_queue_delay=delay)
