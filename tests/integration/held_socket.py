# SPDX-License-Identifier: Apache-2.0
"""A way to a server on which a client's reading can be held, so that it is in mid-work for as long as a test wants."""
import contextlib
import os
import socket
import threading


class HeldSocket:
    """A Unix socket before a server's own. What the server sends is passed on up to `most` bytes a connection; the rest
    waits for release(). Other connections of the same client, such as that of a KILL, are not held."""

    def __init__(self, path, server, most):
        self.path, self.server, self.most = path, server, most
        self.held, self.released = threading.Event(), threading.Event()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, far = self.listener.accept()[0], socket.socket(socket.AF_UNIX)
                far.connect(self.server)
                threading.Thread(target=self.carry, args=(near, far, None), daemon=True).start()
                threading.Thread(target=self.carry, args=(far, near, self.most), daemon=True).start()

    def carry(self, source, to, most):
        sent = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                sent += len(data)
                if most is not None and sent > most and not self.released.is_set():
                    self.held.set()
                    self.released.wait()
                to.sendall(data)
        for end in (source, to):  # a client that was killed is gone for the server too
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def release(self):
        self.released.set()

    def close(self):
        self.release()
        self.listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
