# SPDX-License-Identifier: Apache-2.0
"""TCP relays between the coordinator and the agents, so that the network between them can be cut."""
import asyncio
import contextlib
import threading


class Relay:
    """Listens on a port and passes bytes to another. cut("refuse") closes what is open and refuses more;
    cut("drop") leaves connections open and passes nothing on, as a lost network does; mend() ends either."""

    def __init__(self, loop, listen, to):
        self.loop, self.listen, self.to = loop, listen, to
        self.writers, self.mode = set(), ""
        self.passing = asyncio.Event()
        self.passing.set()
        self.server = None

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.listen)

    async def serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.close()
            return
        both = {writer, far_writer}
        self.writers |= both
        await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))
        self.writers -= both

    async def carry(self, reader, writer):
        with contextlib.suppress(OSError):
            while True:
                data = await reader.read(65536)
                await self.passing.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        writer.close()

    def close_all(self):
        for writer in list(self.writers):
            writer.transport.abort()

    async def set_mode(self, mode):
        self.mode = mode
        if mode == "drop":
            self.passing.clear()
        elif mode == "refuse":
            self.server.close()
            await self.server.wait_closed()
            self.close_all()
        else:
            if not self.passing.is_set():
                self.close_all()  # what was lost on the way does not come later
            self.passing.set()
            if not self.server.is_serving():
                await self.open()


class Relays:
    """{node: Relay}, run by a thread of their own."""

    def __init__(self, ports):
        """ports: {node: (listen, to)}"""
        self.loop, self.mends = asyncio.new_event_loop(), 0
        self.loop.set_exception_handler(lambda *_: None)  # connections that break are what this is for
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.relays = {node: Relay(self.loop, *pair) for node, pair in ports.items()}
        for relay in self.relays.values():
            self.wait(relay.open())

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def cut(self, nodes, mode):
        for node in nodes:
            self.wait(self.relays[node].set_mode(mode))

    def mend(self):
        self.mends += 1
        for relay in self.relays.values():
            if relay.mode:
                self.wait(relay.set_mode(""))

    async def end(self):
        for relay in self.relays.values():
            relay.server.close()
            relay.close_all()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def close(self):
        self.wait(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
