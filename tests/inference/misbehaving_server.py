"""An OpenAI-compatible server that misbehaves on purpose, in a thread with an event loop of its own.

What it does with a request depends on the request's text alone, and on how often that text came before: the first letters
of the last message name the behaviour.

    bad        HTTP 400, always, and its words repeat the key that was sent
    shaky      HTTP 500 the first time
    busy       HTTP 429 the first time, with Retry-After
    hang       no answer the first time
    cut        a body that ends too early, the first time
    garbled    a body that is no JSON, the first time
    empty      JSON without choices, the first time
    filtered   an answer that the server ended
    (else)     an answer that tells the text back in capitals
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web

MODEL = "made-model"


class MisbehavingServer:
    """Use it as a context; `port` stays the same over `stop` and `start`."""

    def __init__(self, latency_s: float = 0.01, key: str = "", root: str = "made/root") -> None:
        self.latency_s, self.key, self.root = latency_s, key, root
        self.owned_by = "somebody"
        self.port = 0
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.num_answered: Counter[str] = Counter()
        self.num_in_flight = self.most_in_flight = 0
        self.retry_after = "0"
        self.num_waiting = 0
        self.fixed: tuple[int, Any] | None = None  # status and JSON of every answer
        self.say: Callable[[dict[str, Any]], str] | None = None  # the text for a request's body, in place of capitals
        self.dies_after = 0  # answers, after which it stops; 0: never
        self.is_refusing = False  # listens, and answers 503
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "MisbehavingServer":
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result()

    def stop(self) -> None:
        """As if killed: connections are cut, and nobody listens."""
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result()

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/metrics", self._metrics)
        for route in ("/v1/chat/completions", "/classify", "/pooling"):
            app.router.add_post(route, self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def _stop(self) -> None:
        if self._runner:
            assert self._runner.server
            for connection in self._runner.server.connections:
                if connection.transport:
                    connection.transport.abort()
            await self._runner.cleanup()
            self._runner = None

    async def _models(self, request: web.Request) -> web.Response:
        if self.is_refusing:
            return web.json_response({"detail": "loading"}, status=503)
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            said = f"no such key: {request.headers.get('Authorization')}"
            return web.json_response({"error": {"message": said}}, status=401)
        row = {"id": MODEL, "root": self.root, "owned_by": self.owned_by, "created": id(request)}
        return web.json_response({"object": "list", "data": [row]})

    async def _metrics(self, _: web.Request) -> web.Response:
        lines = [f'vllm:num_requests_waiting{{engine="0"}} {self.num_waiting}.0', "vllm:num_requests_running 8.0"]
        return web.Response(text="# HELP ...\n" + "\n".join(lines) + "\n")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = body["messages"][-1]["content"]
        self.bodies.append(body)
        self.asked[text] += 1
        self.num_in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.num_in_flight)
        try:
            await asyncio.sleep(self.latency_s)
            return await self._behave(request, body, text)
        finally:
            self.num_in_flight -= 1

    async def _behave(self, request: web.Request, body: dict[str, Any], text: str) -> web.StreamResponse:
        kind, is_first = text.split()[0], self.asked[text] == 1
        if self.is_refusing:
            return web.json_response({"detail": "loading"}, status=503)
        if self.fixed:
            return web.json_response(self.fixed[1], status=self.fixed[0])
        if self.say:
            return web.json_response(chat_completion(self.say(body)))
        if kind == "bad":
            said = f"bad words, sent with {request.headers.get('Authorization')}"
            return web.json_response({"error": {"message": said}}, status=400)
        if is_first and kind == "shaky":
            return web.Response(text="the engine stumbled", status=500)
        if is_first and kind == "busy":
            return web.Response(text="too many", status=429, headers={"Retry-After": self.retry_after})
        if is_first and kind == "hang":
            await asyncio.sleep(60)
        if is_first and kind in ("garbled", "empty"):
            return web.Response(text='{"choices": [' if kind == "garbled" else '{"object": "list"}')
        said = json.dumps(chat_completion(text.upper(), "content_filter" if kind == "filtered" else "stop")).encode()
        if is_first and kind == "cut":
            response = web.StreamResponse(headers={"Content-Length": str(len(said))})
            await response.prepare(request)
            await response.write(said[: len(said) // 2])
            assert request.transport
            request.transport.close()
            return response
        self.num_answered[text] += 1
        if sum(self.num_answered.values()) == self.dies_after:
            self.loop.create_task(self._stop())
        return web.Response(body=said, content_type="application/json")


def chat_completion(text: str, finish_reason: str = "stop", num_tokens: int = 3) -> dict[str, Any]:
    """A response of /chat/completions, as vLLM words it."""
    tokens = [{"token": "t", "logprob": -0.5, "bytes": [116], "top_logprobs": []} for _ in range(num_tokens)]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason,
            "logprobs": {"content": tokens},
        }],
        "usage": {"prompt_tokens": 7, "completion_tokens": num_tokens, "total_tokens": 7 + num_tokens},
    }  # fmt: skip
