"""A stream that is served on this machine alone."""

import contextlib
import socket
import threading

from clips import grey, write_film

RATE = 10


class Server:
    """Serves a list of answers, one for each connection, over HTTP on 127.0.0.1; None: it hangs up at once.

    stays: seconds that it keeps a connection open after an answer, as a stream that says nothing more.
    """

    def __init__(self, answers, stays=0.0):
        self.answers, self.socket = list(answers), socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}/live"
        self._closed, self._stays = threading.Event(), stays
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with self.socket, contextlib.suppress(OSError):
            while self.answers:
                connection, _ = self.socket.accept()
                answer = self.answers.pop(0)
                with connection, contextlib.suppress(OSError):
                    if answer is not None:
                        connection.recv(4096)
                        length = b"" if answer[:1] == b"\x47" else b"Content-Length: %d\r\n" % len(answer)
                        connection.sendall(b"HTTP/1.0 200 OK\r\n" + length + b"\r\n" + answer)
                        self._closed.wait(self._stays)

    def close(self):
        self._closed.set()
        self.socket.close()


def broadcast(path, start=0.0):
    """Bytes of ten frames of MPEG-TS, greys of 20 * number, whose clock begins at `start` seconds."""
    pictures = [grey(number, (64, 64)) for number in range(10)]
    times = [number / RATE for number in range(10)]
    return write_film(path, times, size=(64, 64), pictures=pictures, start=start, tune="zerolatency").read_bytes()
