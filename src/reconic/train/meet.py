"""How the ranks of a run find each other."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from torch.distributed import (
    DistError,
    PrefixStore,  # pyright: ignore[reportPrivateImportUsage]
    Store,  # pyright: ignore[reportPrivateImportUsage]
    TCPStore,  # pyright: ignore[reportPrivateImportUsage]
)

from reconic.train.watch import Watch, send

__all__ = ["make_store", "meet"]

JOIN = 300.0  # seconds in which all ranks must start
_KEY = "watch"  # in the store
_SILENT, _AGAIN, _TIMES = 15, 3, 4  # seconds, and how often a silent host is asked


def make_store(address: str, port: int, *, serve: bool) -> TCPStore:
    """Store in which ranks look up what they need to know of each other.

    Args:
        address: Host of rank 0, as the others reach it.
        port: Its port; 0 takes a free one.
        serve: Whether it is here; else to wait for it.

    Raises:
        ConnectionError: If it does not come in time.
        ValueError: If the port is in use.
    """
    if not serve:
        _wait_for(address, port)
    try:
        return TCPStore(
            address, port, is_master=serve, timeout=timedelta(seconds=JOIN), wait_for_workers=False
        )
    except DistError as error:
        if not serve:
            raise ConnectionError(_unreached(address, port)) from error
        raise ValueError(
            f"train: the port {port} of this host, at which the ranks meet, must be free, got one "
            f"in use. Give all ranks another one, such as MASTER_PORT={port + 1}."
        ) from error


def _wait_for(address: str, port: int) -> None:
    until = time.monotonic() + JOIN
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 2):
            return
        if time.monotonic() > until:
            raise ConnectionError(_unreached(address, port))
        time.sleep(0.2)


def _unreached(address: str, port: int) -> str:
    return (
        f"train: rank 0 must answer at {address}:{port} within {JOIN:.0f} s, got nothing. Start "
        "it, give all ranks its MASTER_ADDR and MASTER_PORT, and let the port pass firewalls."
    )


def meet(
    store: Store,
    address: str,
    rank: int,
    n_ranks: int,
    check: Callable[[], None] = lambda: None,
) -> Watch:
    """Connect rank 0 with each other rank.

    Args:
        store: Where rank 0 tells its address.
        address: Host of rank 0, as the others reach it.
        rank: Number of this rank.
        n_ranks: Number of ranks.
        check: Called now and then; raises if waiting makes no more sense.

    Raises:
        ConnectionError: If not all come in time.
    """
    until = time.monotonic() + JOIN
    store = PrefixStore("reconic", store)
    if rank:
        return _call(store, rank, until)
    token = secrets.token_hex(16)  # no one else is taken for a rank
    peers: dict[int, socket.socket] = {}
    names: dict[int, str] = {}
    with socket.create_server(("", 0), backlog=n_ranks) as server:
        server.settimeout(0.2)
        store.set(_KEY, json.dumps([address, server.getsockname()[1], token]))
        while len(peers) < n_ranks - 1:
            check()
            _check_time(until, set(range(1, n_ranks)) - set(peers))
            with contextlib.suppress(TimeoutError):
                peer, _ = server.accept()
                hello = _hello(peer)
                if hello.get("token") != token:
                    peer.close()
                    continue
                peers[hello["rank"]] = _asked_when_silent(peer)
                names[hello["rank"]] = f"rank {hello['rank']} ({hello['name']})"
    return Watch(0, peers, names)


def _check_time(until: float, missing: set[int]) -> None:
    if time.monotonic() > until:
        raise ConnectionError(
            f"train: all ranks must start within {JOIN:.0f} s, got none of the numbers "
            f"{', '.join(map(str, sorted(missing)))}. Start them, or ask for fewer `devices` and "
            "`num_nodes`."
        )


def _call(store: Store, rank: int, until: float) -> Watch:
    """Connection to rank 0."""
    while not store.check([_KEY]):
        _check_time(until, {0})
        time.sleep(0.05)
    address, port, token = json.loads(store.get(_KEY))
    peer = _asked_when_silent(socket.create_connection((address, port), timeout=JOIN))
    name = f"process {os.getpid()} on {socket.gethostname()}"
    send(peer, {"rank": rank, "name": name, "token": token})
    return Watch(rank, {0: peer}, {0: f"rank 0 (on {address})"})


def _hello(peer: socket.socket) -> dict[str, Any]:
    """First line of a connection; empty if it is none of ours."""
    peer.settimeout(5)
    found = b""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        while not found.endswith(b"\n") and len(found) < 1 << 12 and (more := peer.recv(1)):
            found += more  # byte by byte: what comes after the line is for the Watch
        return dict(json.loads(found))
    return {}


def _asked_when_silent(peer: socket.socket) -> socket.socket:
    """Let the operating system find out when a host is gone."""
    peer.settimeout(None)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"TCP_KEEPIDLE": _SILENT, "TCP_KEEPINTVL": _AGAIN, "TCP_KEEPCNT": _TIMES}
    for name, value in options.items():
        if hasattr(socket, name):  # not on every system
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return peer
