"""Behind `keras-ft` and `python`: what the forker cannot run starts as ever."""

import array
import json
import os
import socket
import sys

name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
if name == "python" and arguments != ["-"]:
    os.execv(sys.executable, [sys.executable, *arguments])
asked = json.dumps({"name": name, "arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)})
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.environ["KERAS_FT_TESTS_SOCKET"])
    streams = array.array("i", [0, 1, 2])
    connection.sendmsg([asked.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    connection.shutdown(socket.SHUT_WR)
    code = connection.recv(16)
sys.exit(int(code) if code else 1)
