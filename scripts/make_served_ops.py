"""Write keras_ft/export/served_ops.txt: the ops that TF Serving links.

TF Serving links TensorFlow's own kernels without those that call back into Python, and tensorflow_text's op library.
Run it in an environment with the TensorFlow and tensorflow_text of that TF Serving:

    python scripts/make_served_ops.py > keras_ft/export/served_ops.txt
"""

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

PYTHON_OPS = {"EagerPyFunc", "NumpyFunction", "PyFunc", "PyFuncStateless"}


def registered() -> set[str]:
    ops = op_def_pb2.OpList()
    ops.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {op.name for op in ops.op}


if __name__ == "__main__":
    core = registered() - PYTHON_OPS
    import tensorflow_text

    text = registered() - core - PYTHON_OPS
    print(f"# TensorFlow {tf.__version__}, tensorflow_text {tensorflow_text.__version__}")
    print("\n".join(sorted(core | text)))
