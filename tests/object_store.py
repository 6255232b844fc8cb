"""An object store for tests: `gs://` names that lie in a folder, with an object store's manners.

Folders exist only while something is in them, none can be renamed, and every call is counted.
"""

import os
from pathlib import Path

from etils.epath import backend, gpath


class ObjectStore(backend._OsPathBackend):
    def __init__(self, root: Path):
        self.root = root
        self.written: list[str] = []
        self.deleted: list[str] = []
        self.broken = False

    def local(self, path) -> str:
        if self.broken:
            raise ConnectionError("the network is down")
        return str(self.root / os.fspath(path).removeprefix("gs://"))

    def open(self, path, mode):
        if "w" in mode:
            self.written.append(os.fspath(path))
            Path(self.local(path)).parent.mkdir(parents=True, exist_ok=True)
        return super().open(self.local(path), mode)

    def exists(self, path):
        return super().exists(self.local(path))

    def isdir(self, path):
        if self.broken:  # as TensorFlow's file systems say
            return False
        folder = Path(self.local(path))
        return folder.is_dir() and any(p.is_file() for p in folder.rglob("*"))

    def listdir(self, path):
        return super().listdir(self.local(path))

    def makedirs(self, path, *, exist_ok=False, mode=None):
        pass

    def mkdir(self, path, *, exist_ok=False, mode=None):
        pass

    def remove(self, path):
        self.deleted.append(os.fspath(path))
        return super().remove(self.local(path))

    def rename(self, path, dst):
        raise NotImplementedError("an object store cannot rename")

    def replace(self, path, dst):
        raise NotImplementedError("an object store cannot rename")

    def stat(self, path):
        return super().stat(self.local(path))


def install(monkeypatch, root: Path) -> ObjectStore:
    store = ObjectStore(root)
    local = gpath._GPath._backend.fget
    monkeypatch.setattr(gpath._GPath, "_backend", property(lambda p: store if p._uri_scheme == "gs" else local(p)))
    return store
