#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network between the hosts of a sandbox, which all stand on one loopback: a relay before each server and each
agent, which knows from whose process a connection comes. The way from one host to another can be lost, in either
direction alone: connections stay open and carry nothing, as where packets are lost; nobody is told.

usage: mesh FOLDER NODE:LISTEN:TO … ; commands on stdin, a line each, answered by "done":
  lose FROM>TO …   packets of FROM to TO are lost from now on
  keep resume      they go again, and what was on the way comes late
  keep abort       they go again; connections that had lost some end"""
import asyncio
import contextlib
import os
import re
import socket
import sys

LAST_CHUNKS = 10  # that a sender gives without an acknowledgement: about its first window
LISTENS, LOOK_EVERY_S = "0A", 0.03


def sockets():
    """(local port, remote port, state, inode) of all on IPv4."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in list(f)[1:]:
            words = line.split()
            yield int(words[1].rsplit(":", 1)[1], 16), int(words[2].rsplit(":", 1)[1], 16), words[3], words[9]


class Owners:
    """Whose process has a socket: the name of its folder in the sandbox, "" for others."""

    def __init__(self, folder):
        self.mark = re.compile(re.escape(folder) + r"/(db\d|coordinator)\b")

    def processes(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open("/proc/%s/cmdline" % pid, encoding="utf-8", errors="replace") as f:
                found = self.mark.search(f.read())
                if found:
                    yield pid, found[1]

    def of_port(self, port, to):
        inode = next((i for here, there, _, i in sockets() if (here, there) == (port, to)), None)
        for pid, name in self.processes() if inode else ():
            with contextlib.suppress(OSError):
                for fd in os.listdir("/proc/%s/fd" % pid):
                    with contextlib.suppress(OSError):
                        if os.readlink("/proc/%s/fd/%s" % (pid, fd)) == "socket:[%s]" % inode:
                            return name
        return ""


def is_ended(writer):
    """Whoever has connected has gone meanwhile: where packets are lost he never was connected, and has said nothing."""
    return not any(state == "01" for here, there, state, _ in sockets() if (here, there) == writer.get_extra_info("peername")[1:2] + writer.get_extra_info("sockname")[1:2])


class Network:
    """Which ways are lost. `ended` counts what an "abort" has ended: a pump that waited since before ends its connection."""

    def __init__(self):
        self.lost, self.aborts = set(), 0
        self.changed = asyncio.Event()

    def is_lost(self, a, b):
        return (a, b) in self.lost

    def set(self, lost, abort=False):
        self.lost = lost
        self.aborts += abort
        self.changed.set()
        self.changed = asyncio.Event()


class Relay:
    def __init__(self, network, owners, node, listen, to):
        self.network, self.owners, self.node, self.listen, self.to = network, owners, node, listen, to
        self.server = None

    async def follow(self, listening):
        """Listens while whom it stands for does, or while nobody could be told that he does not."""
        reached = any(b == self.node for _, b in self.network.lost)
        if self.to in listening or reached:
            if not self.server:
                self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.listen, backlog=64)
        elif self.server:
            self.server.close()
            self.server = None

    async def serve(self, reader, writer):
        who = self.owners.of_port(writer.get_extra_info("peername")[1], self.listen)
        aborts = self.network.aborts
        while self.network.is_lost(who, self.node) or self.network.is_lost(self.node, who):
            await self.network.changed.wait()
        if aborts != self.network.aborts or writer.transport.is_closing() or is_ended(writer):
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            return
        for w in (writer, far_writer):
            w.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        both = (writer, far_writer)
        await asyncio.gather(self.carry(reader, far_writer, who, self.node, both), self.carry(far_reader, writer, self.node, who, both))

    async def carry(self, reader, writer, a, b, both):
        """What comes from a goes to b; the end of a connection, too, only where a packet could."""
        left, aborts = LAST_CHUNKS, self.network.aborts
        with contextlib.suppress(OSError):
            while True:
                data = await reader.read(65536)
                if self.network.is_lost(b, a):  # nothing is acknowledged
                    left -= 1
                else:
                    left = LAST_CHUNKS
                held = False
                while self.network.is_lost(a, b) or (self.network.is_lost(b, a) and left < 0):
                    held = True
                    await self.network.changed.wait()
                if held and aborts != self.network.aborts:
                    for w in both:
                        w.transport.abort()
                    return
                aborts = self.network.aborts
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        writer.close()


async def watch(relays):
    while True:
        listening = {here for here, _, state, _ in sockets() if state == LISTENS}
        for relay in relays:
            with contextlib.suppress(OSError):
                await relay.follow(listening)
        await asyncio.sleep(LOOK_EVERY_S)


async def main():
    folder, network = sys.argv[1], Network()
    owners = Owners(folder)
    relays = []
    for word in sys.argv[2:]:
        node, listen, to = word.split(":")
        relays.append(Relay(network, owners, node, int(listen), int(to)))
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    watching = asyncio.create_task(watch(relays))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode():
        verb, *words = line.split()
        if verb == "lose":
            network.set(network.lost | {tuple(w.split(">")) for w in words})
        else:
            network.set(set(), words == ["abort"])
        print("done", flush=True)
    watching.cancel()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
