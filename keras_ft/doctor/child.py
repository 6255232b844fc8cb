"""Run by `probe` as a script in a process of its own, for an import or a driver may kill the process that tries it.

It prints one JSON object a line: `{"importing": module}`, then `{"imported": module}` or `{"failed": module, …}`; last
the devices TensorFlow sees and the time of a matrix product in each type.

    python child.py tensorflow tensorflow_text …
"""

import importlib
import json
import sys
import timeit

REPEATS = 20
ROWS, INNER, COLUMNS = 512, 768, 768  # 16 texts of 32 tokens through a dense layer of BERT base


def tell(**what) -> None:
    """Print one line at once: the next step may be the last."""
    print(json.dumps(what), flush=True)


def try_import(module: str) -> bool:
    """Import a module, whatever it raises."""
    tell(importing=module)
    try:
        importlib.import_module(module)
    except BaseException as error:  # a broken package may even call exit
        tell(failed=module, reason=" ".join(f"{type(error).__name__}: {error}".split())[:300])
        return False
    tell(imported=module)
    return True


def matmul_milliseconds(dtype: str) -> float:
    """The quickest of some matrix products, in milliseconds."""
    import tensorflow as tf

    with tf.device("/CPU:0"):
        left, right = tf.ones([ROWS, INNER], dtype), tf.ones([INNER, COLUMNS], dtype)
        return 1e3 * min(timeit.repeat(lambda: tf.matmul(left, right).numpy(), number=1, repeat=REPEATS))


def main(modules: list[str]) -> None:
    """Try every module, then TensorFlow itself."""
    works = {module: try_import(module) for module in modules}
    if works.get("tensorflow"):
        import tensorflow as tf

        tell(importing="the devices")
        devices = [device.device_type for device in tf.config.list_physical_devices()]
        tell(devices=devices, cuda=tf.test.is_built_with_cuda())
        tell(importing="a matrix product")
        tell(milliseconds={dtype: matmul_milliseconds(dtype) for dtype in ("float32", "bfloat16")})


if __name__ == "__main__":
    main(sys.argv[1:])
