import subprocess
import sys

import pytest

FAULTS = """
import ctypes, resource, sys, threading
from keras_ft.backend import use_backend

use_backend(sys.argv[1])
c, size = ctypes.CDLL(None), 200 * 2**20
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def use():
    pointer = c.malloc(size)
    ctypes.memset(pointer, 1, size)
    c.free(pointer)

def faults_of_another_use():
    use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=faults_of_another_use)
thread.start()
thread.join()
"""
FEW = 50  # 200 MiB are 100 pages at least, where the system gives large ones


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
@pytest.mark.parametrize(("engine", "keeps"), [("jax", True), ("tensorflow", False)])
def test_under_jax_freed_memory_is_used_again_without_the_system(engine, keeps):
    found = subprocess.run([sys.executable, "-c", FAULTS, engine], capture_output=True, text=True, check=True)
    assert (int(found.stdout) < FEW) == keeps
