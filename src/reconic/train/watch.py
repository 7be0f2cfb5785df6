"""A rank that is lost ends the others, soon and with a word on which one it was."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

__all__ = ["GRACE", "Watch", "send"]

GRACE = 10.0  # seconds that a rank has to end by itself once another one is lost
_open: weakref.WeakSet[socket.socket] = weakref.WeakSet()  # all connections of this process


def _close_copies() -> None:
    """In a forked worker of a data loader: it would outlive its rank, and keep connections open."""
    for peer in list(_open):
        peer.close()


if hasattr(os, "register_at_fork"):  # not on every system
    os.register_at_fork(after_in_child=_close_copies)


class Watch:
    """Connections of rank 0 with each other rank, over which they say how they end.

    The operating system closes the connection of a process that is killed at once, and that of a
    host that no longer answers within half a minute, also while a rank computes or waits for
    others. Rank 0 passes on to all what it is told.

    Args:
        rank: Number of this rank.
        peers: Open connections by rank: of rank 0 to all others, of these to rank 0.
        names: What to call each peer.

    Attributes:
        lost: What happened to the rank that was lost first; None while all are well.
        speaks: Whether this rank is to tell the user: rank 0, or where it is lost all others.
        last: Checkpoint to go on from, once there may be one.
    """

    def __init__(self, rank: int, peers: dict[int, socket.socket], names: dict[int, str]) -> None:
        self.rank = rank
        self.lost: str | None = None
        self.speaks = rank == 0
        self.last: Path | None = None
        self._peers = dict(peers)
        _open.update(peers.values())
        self._names = names
        self._closing = False
        self._news = threading.Event()
        self._selector = selectors.DefaultSelector()
        for number, peer in peers.items():
            self._selector.register(peer, selectors.EVENT_READ, number)
        self._thread = threading.Thread(target=self._listen, name="watch", daemon=True)
        self._thread.start()

    def message(self) -> str:
        """What happened, and how to go on."""
        if self.last is None or not self.last.is_file():
            return f"train: {self.lost}. No checkpoint was saved before; start all ranks anew."
        return (
            f"train: {self.lost}. To go on, start all ranks again with --resume "
            f"{self.last.parents[1]}"
        )

    def learn(self, seconds: float) -> bool:
        """Wait for news of a lost rank, of which an error in an exchange is a sign."""
        return self._news.wait(seconds)

    def tell(self, what: str) -> None:
        """Tell the others that this rank fails."""
        for peer in list(self._peers.values()):
            send(peer, {"lost": f"rank {self.rank} failed: {what}"})

    def close(self) -> None:
        """Take leave of the others."""
        self._closing = True
        for peer in list(self._peers.values()):
            send(peer, {"left": True})
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._selector.close()

    def _listen(self) -> None:
        heard = dict.fromkeys(self._peers, b"")
        while self._peers:
            for key, _ in self._selector.select():
                heard[key.data] += self._received(key.data)
                *lines, heard[key.data] = heard[key.data].split(b"\n")
                for line in lines:
                    self._take(key.data, json.loads(line))

    def _received(self, rank: int) -> bytes:
        """What a peer sent; its end is a loss unless it took leave."""
        peer = self._peers.get(rank)
        found = b""
        with contextlib.suppress(OSError):
            found = b"" if peer is None else peer.recv(1 << 16)
        if peer is not None and not found:
            self._drop(rank)
            if not self._closing:
                self.speaks = True
                self._lose(f"{self._names[rank]} was lost: killed, out of memory, or cut off")
        return found

    def _take(self, rank: int, told: dict[str, Any]) -> None:
        if "lost" in told:
            self._lose(told["lost"])
        else:
            self._drop(rank)

    def _drop(self, rank: int) -> None:
        if peer := self._peers.pop(rank, None):
            self._selector.unregister(peer)
            peer.close()

    def _lose(self, what: str) -> None:
        """Pass the news on, and see to it that this process ends."""
        if self.lost is not None:
            return
        self.lost = what
        for peer in list(self._peers.values()) if self.rank == 0 else []:
            send(peer, {"lost": what})
        self._news.set()
        timer = threading.Timer(GRACE, self._end)
        timer.daemon = True
        timer.start()

    def _end(self) -> None:
        """End a process whose main thread waits for a rank that is no more."""
        if not self._closing:
            if self.speaks:
                sys.stderr.write(f"{self.message()}\n")
                sys.stderr.flush()
            os._exit(1)


def send(peer: socket.socket, what: dict[str, Any]) -> None:
    """Send a line, to who may be gone."""
    with contextlib.suppress(OSError):
        peer.sendall(json.dumps(what).encode() + b"\n")
