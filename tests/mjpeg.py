"""A network camera on 127.0.0.1 that sends MJPEG, falls silent, hangs up or dies, as asked."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import cv2
import numpy as np

COLOUR = (210, 90, 30)
"""RGB of every picture. As BGR it would be a clearly different colour."""
SIZE = (160, 120)
FRAMES = 12
"""Number of pictures that /silent sends before it falls silent, and /hangup before it hangs up."""
RATE = 50.0


class MjpegServer:
    """Serves /live, /silent and /hangup for as long as its `with` block lasts."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        closing = self.closing
        picture = np.full((SIZE[1], SIZE[0], 3), COLOUR[::-1], np.uint8)
        jpeg = cv2.imencode(".jpg", picture)[1].tobytes()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cut")
                self.end_headers()
                sent = 0
                while not closing.wait(1 / RATE):
                    if sent >= FRAMES and self.path == "/hangup":
                        return
                    if sent >= FRAMES and self.path == "/silent":
                        closing.wait()
                        return
                    head = (
                        f"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    )
                    try:
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                    except OSError:
                        return
                    sent += 1

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def die(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.closing.is_set():
            self.die()
