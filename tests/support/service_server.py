"""A service that speaks OpenAI's protocol on loopback: files, fine-tuning jobs, chat completions, and faults on demand.

Its models are simple and real: the base writes brackets at random, half of them wrong; a fine-tuned one has read its training
file and writes the solutions of a context that stands there, and of other contexts those of any.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk-verysecret"
WORDS = ["mi", "mi1", "t", "(", ")", "[", "]"]


class Service:
    """The state of the service; `url` is its base URL.

    Attributes:
        faults: (path's beginning, with or without the method, status, headers, whether it is done before it fails) of requests
            to come, in order.
        code: What the faults are called in their bodies.
        calls: How often each kind of request came.
        polls: Looks at a job until it has ended.
        ends: How jobs end.
        page: Entries of a list at a time; 0: the whole list again and again, as some services do.
        most: Choices that may be asked for at once.
    """

    def __init__(self) -> None:
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.faults: list[tuple[str, int, dict[str, str], bool]] = []
        self.calls: Counter[str] = Counter()
        self.seen: list[dict[str, Any]] = []
        self.polls, self.ends, self.code, self.page, self.most = 2, "succeeded", "fault", 100, 128
        self.one_choice = self.no_logprobs = self.no_events = self.no_json = self.nameless = self.silent = False
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- what it does -----------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> tuple[int, dict[str, str], Any]:
        path, _, query = path.partition("?")
        self.after = parse_qs(query).get("after", [""])[0]
        parts = path.strip("/").split("/")
        with self._lock:
            self.calls[f"{method} {parts[0]}" + (f" {parts[-1]}" if len(parts) > 3 else "")] += 1
            if headers.get("Authorization") != f"Bearer {KEY}":
                said = f"Incorrect API key provided: {headers.get('Authorization')}"
                return 401, {}, {"error": {"message": said, "code": "invalid_api_key"}}
            fault = next((f for f in self.faults if f"{method} {path}".startswith((f[0], f"{method} {f[0]}"))), None)
            if fault is not None:
                self.faults.remove(fault)
                if fault[3]:
                    self._do(method, parts, headers, body)
                return fault[1], fault[2], {"error": {"message": "out of order", "code": self.code}}
            return self._do(method, parts, headers, body)

    def _do(self, method: str, parts: list[str], headers: Message, body: bytes) -> tuple[int, dict[str, str], Any]:
        if parts == ["files"]:
            lines = _uploaded(headers, body).splitlines()
            id = f"file-{len(self.files)}"
            self.files[id] = [json.loads(line) for line in lines]
            return 200, {}, {"id": id, "object": "file", "bytes": len(body), "created_at": 0, "filename": "f",
                             "purpose": "fine-tune", "status": "processed"}  # fmt: skip
        if parts[:2] == ["fine_tuning", "jobs"]:
            return self._job(method, parts[2:], json.loads(body or b"{}"))
        if parts == ["chat", "completions"]:
            return self._chat(json.loads(body))
        return 404, {}, {"error": {"message": f"no such path: {'/'.join(parts)}"}}

    def _job(self, method: str, rest: list[str], asked: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if not rest and method == "POST":
            id = f"job-{len(self.jobs)}"
            tokens = sum(len(json.dumps(line).split()) for line in self.files[asked["training_file"]])
            self.jobs[id] = {
                "id": id, "object": "fine_tuning.job", "created_at": 0, "organization_id": "o", "result_files": [],
                "hyperparameters": {"n_epochs": asked["method"]["supervised"]["hyperparameters"]["n_epochs"]},
                "model": asked["model"], "seed": asked["seed"], "training_file": asked["training_file"],
                "status": "queued", "left": self.polls, "trained_tokens": None, "tokens": tokens, "fine_tuned_model": None,
            }  # fmt: skip
            return 200, {}, self.jobs[id]
        if not rest:
            return self._list(list(self.jobs.values())[::-1])
        job = self.jobs[rest[0]]
        if rest[1:] == ["events"]:
            if self.no_events:
                return 404, {}, {"error": {"message": "no events here"}}
            steps = [{"step": i, "total_steps": 4, "train_loss": 2.0 / i} for i in range(1, 5)]
            data = [
                {"id": f"e{s['step']}", "object": "fine_tuning.job.event", "created_at": 0, "level": "info",
                 "message": "", "type": "metrics", "data": s} for s in reversed(steps)
            ]  # fmt: skip
            return self._list(data)
        job["left"] -= 1
        if job["left"] > 0:
            job["status"] = "running"
        elif job["status"] != self.ends:
            job["status"] = self.ends
            if self.ends == "succeeded":
                job |= {
                    "fine_tuned_model": None if self.nameless else f"ft:{job['id']}",
                    "trained_tokens": job["tokens"],
                }
            else:
                job["error"] = {"code": "bad", "message": "the training file is unloved", "param": None}
        return 200, {}, job

    def _list(self, data: list[dict[str, Any]]) -> tuple[int, dict[str, str], Any]:
        if not self.page:
            return 200, {}, {"object": "list", "data": data}
        begin = next((i for i, x in enumerate(data, 1) if x["id"] == self.after), 0)
        part = data[begin : begin + self.page]
        return 200, {}, {"object": "list", "data": part, "has_more": begin + self.page < len(data)}

    def _chat(self, asked: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        self.seen.append(asked)
        if self.no_logprobs and "logprobs" in asked:
            return 400, {}, {"error": {"message": "logprobs is not supported"}}
        if asked.get("n", 1) > self.most:
            return 400, {}, {"error": {"message": f"n must be at most {self.most}"}}
        rng = random.Random(json.dumps([asked["seed"], asked["messages"], asked["model"]]))
        texts = [
            self._written(asked, rng) for _ in range(0 if self.silent else 1 if self.one_choice else asked.get("n", 1))
        ]
        told = asked.get("logprobs")
        choices = [
            {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": text},
             "logprobs": {"content": [{"token": "x", "logprob": -0.5, "top_logprobs": []}]} if told else None}
            for i, text in enumerate(texts)
        ]  # fmt: skip
        tokens = sum(len((t or "").split()) for t in texts)
        usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
        return 200, {}, {"id": "c", "object": "chat.completion", "created": 0, "model": asked["model"],
                         "choices": choices, "usage": usage}  # fmt: skip

    def _written(self, asked: dict[str, Any], rng: random.Random) -> str | None:
        if asked["model"].startswith("ft:") and rng.random() < 0.5:
            lines = self.files[self.jobs[asked["model"][3:]]["training_file"]]
            context = asked["messages"][1]["content"]
            own = [x["messages"][2]["content"] for x in lines if x["messages"][1]["content"] == context]
            text = rng.choice(own or [x["messages"][2]["content"] for x in lines])
            return rng.choice([text, f"```\n{text}\n```", f'  "{text}"\n', text])
        return rng.choice([None, "DROP TABLE x;", " ".join(rng.choices(WORDS[:3], k=rng.randint(1, 5)))] + [
            " ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(3)
        ])  # fmt: skip

    def _handler(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or every answer waits 40 ms

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlsplit(self.path)
                path = f"{url.path.removeprefix('/v1/')}?{url.query}"
                status, headers, answer = service.answer(self.command, path, self.headers, body)
                text = b"<h1>It works!</h1>" if service.no_json else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {
                    "Content-Type": "text/html" if service.no_json else "application/json",
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _uploaded(headers: Message, body: bytes) -> str:
    """The file of a multipart form."""
    boundary = str(headers["Content-Type"]).partition("boundary=")[2].encode()
    part = next(p for p in body.split(b"--" + boundary) if b'name="file"' in p)
    return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n").decode()
