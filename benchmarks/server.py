"""What the window of requests, its rules and the journal cost beside a bare loop of aiohttp, all in one run:

    python benchmarks/server.py [NUM_CALLS] [NUM_PAIRS]         a made server with log-normal latency, 50 ms on average
    python benchmarks/server.py --vllm [NUM_CALLS] [NUM_PAIRS]  vLLM's own server with the embedded teacher

throughput of ours / of the bare loop    the same calls, 64 in flight, alternately; ours as the assets ask, with a new
                                         journal each time; median of the pairs

The made server is a process of its own that does as little as can be done for an answer: the client is what is measured.
"""

import asyncio
import json
import math
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import aiohttp
from journal import requests_of

from synth_assets.assets.journaling import journaled_text_model
from synth_assets.assets.resources import Engines
from synth_assets.inference.serving import serving
from synth_assets.recipe import ModelSpec, read_recipe
from synth_assets.roles import GenerationRequest
from synth_assets.storage import Warehouse

IN_FLIGHT = 64
MEAN_S, SIGMA = 0.05, 0.5
MODEL = "made-model"
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
    "choices": [{
        "index": 0, "message": {"role": "assistant", "content": "An answer of some ten words, as short ones are here."},
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": "t", "logprob": -0.25, "bytes": [116], "top_logprobs": []} for _ in range(12)]},
    }],
    "usage": {"prompt_tokens": 200, "completion_tokens": 12, "total_tokens": 212},
}  # fmt: skip


class MadeServer(asyncio.Protocol):
    """HTTP/1.1 for one client that sends a request at a time over a connection."""

    random = random.Random(7)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        if not found or len(body) < length:
            return
        self.received = body[length:]
        if head.startswith(b"POST"):
            latency = self.random.lognormvariate(math.log(MEAN_S) - SIGMA**2 / 2, SIGMA)
            asyncio.get_running_loop().call_later(latency, self.reply, CHAT)
        else:
            self.reply(MODELS if b"/v1/models" in head else NOTHING)

    def reply(self, answer: bytes) -> None:
        self.transport.write(answer)  # type: ignore[attr-defined]


def response(said: object, status: str = "200 OK") -> bytes:
    body = json.dumps(said).encode()
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        status.encode(),
        len(body),
        body,
    )


CHAT, MODELS, NOTHING = response(ANSWER), response({"data": [{"id": MODEL}]}), response({}, "404 Not Found")


def serve(port: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(MadeServer, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def made_server() -> Iterator[ModelSpec]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    yield spec_of(f"http://127.0.0.1:{ours.recv()}/v1", MODEL)
    process.terminate()


@contextmanager
def vllm_server() -> Iterator[ModelSpec]:
    with serving(read_recipe().teacher, "text") as server:
        yield spec_of(server.base_url, server.name)


def spec_of(base_url: str, model: str) -> ModelSpec:
    server = {"base_urls": (base_url,), "model": model, "max_in_flight": IN_FLIGHT}
    return ModelSpec(engine="server", max_model_len=512, server=server)  # type: ignore[arg-type]


async def bare_loop(spec: ModelSpec, requests: Sequence[GenerationRequest]) -> list[str]:
    """As many workers as calls may be in flight; nothing is checked, nothing is kept but the texts."""
    assert spec.server
    url, texts, waiting = f"{spec.server.base_urls[0]}/chat/completions", [""] * len(requests), iter(enumerate(requests))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for position, request in waiting:
                body = {
                    "model": spec.server.model, "messages": [message._asdict() for message in request.messages],
                    "max_tokens": request.max_new_tokens, "temperature": request.temperature, "seed": request.seed,
                    "logprobs": True,
                }  # fmt: skip
                async with session.post(url, json=body) as answer:
                    texts[position] = (await answer.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return texts


def seconds_of_bare_loop(spec: ModelSpec, requests: Sequence[GenerationRequest]) -> float:
    start = time.monotonic()
    asyncio.run(bare_loop(spec, requests))
    return time.monotonic() - start


def seconds_of_ours(spec: ModelSpec, requests: Sequence[GenerationRequest], folder: Path) -> float:
    start = time.monotonic()
    with journaled_text_model(Engines(), Warehouse(folder), spec) as model:
        results = model.generate(requests)
    taken = time.monotonic() - start
    assert model.calls.num_made == len(requests) and not any(result.error for result in results)
    return taken


def main(is_vllm: bool, num_calls: int, num_pairs: int) -> None:
    requests = requests_of(read_recipe(), num_calls)
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as scratch, vllm_server() if is_vllm else made_server() as spec:
        seconds_of_bare_loop(spec, requests)  # warm: a prefix cache is full for both
        seconds_of_ours(spec, requests[:100], Path(scratch) / "warm")
        for pair in range(num_pairs):
            arms = {
                "bare": lambda: seconds_of_bare_loop(spec, requests),
                "ours": lambda pair=pair: seconds_of_ours(spec, requests, Path(scratch) / str(pair)),
            }
            taken = {name: arms[name]() for name in sorted(arms, reverse=bool(pair % 2))}
            ratios.append(taken["bare"] / taken["ours"])
            print(f"pair {pair}: " + ", ".join(f"{num_calls / taken[name]:.0f} calls/s {name}" for name in arms), flush=True)
    print(f"throughput of ours / of the bare loop: {median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    by_vllm = "--vllm" in sys.argv
    defaults = [500 if by_vllm else 5000, 5]
    main(by_vllm, *(numbers + defaults[len(numbers) :]))
