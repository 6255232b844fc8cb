"""A float32 ONNX model → its dynamic int8 twin; `serving.py` runs it in an environment with onnxruntime and onnx.

ORT_PYTHON benchmarks/onnx_quantize.py MODEL.onnx INT8.onnx
"""

import sys

from onnxruntime.quantization import QuantType, quantize_dynamic

if __name__ == "__main__":
    quantize_dynamic(*sys.argv[1:], weight_type=QuantType.QInt8)
