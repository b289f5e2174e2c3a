"""The backend for OpenAI-compatible services, against a real HTTP server on loopback."""

from __future__ import annotations

import itertools
import json
import logging
import pickle
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from boltbo import Campaign, Settings
from boltbo.campaign.results import progress_of
from boltbo.errors import CorruptModel, InvalidCandidate, ModelUnavailable
from boltbo.llm.backend import Prompt
from boltbo.llm.contract import EXAMPLES, PROMPTS, check_language_model
from boltbo.llm.service import Connection, ServiceModel
from boltbo.llm.service.answers import candidate, plain_answer
from boltbo.llm.service.client import Client
from boltbo.llm.service.journal import Journal, Usage
from support.quadratic import Quadratic, make_tasks
from support.service_server import KEY, Service

pytest.importorskip("openai")

SOON = {"Retry-After": "0.01"}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    running = Service()
    yield running
    running.close()


def make(service: Service, journal: Path | None = None, **rest: Any) -> ServiceModel:
    options = {"poll": 0.01, "retries": 2, **rest}
    return ServiceModel("base", "Write brackets.", Connection(service.url, **options), journal=journal)


def test_it_keeps_the_contract(service: Service, tmp_path: Path) -> None:
    check_language_model(lambda: make(service), tmp_path)


def test_what_is_sent_is_the_template(service: Service) -> None:
    model = make(service)
    model.fit(EXAMPLES, epochs=2.4, seed=7)
    [lines] = service.files.values()
    assert lines[0] == {
        "messages": [
            {"role": "system", "content": "Write brackets."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "mi ( t ) mi1"},
        ]
    }
    assert len(lines) == len(EXAMPLES)
    assert service.jobs["job-0"]["hyperparameters"] == {"n_epochs": 2}
    model.sample(PROMPTS[:1], 3, temperature=0.9)
    asked = service.seen[0]
    assert (asked["model"], asked["temperature"]) == ("ft:job-0", 0.9)
    assert [m["content"] for m in asked["messages"]] == ["Write brackets.", "first"]


def test_it_learns_and_a_second_job_begins_from_the_first(service: Service) -> None:
    model = make(service)
    report = model.fit(EXAMPLES, epochs=1, seed=0)
    assert report.losses == [(1, 2.0), (2, 1.0), (3, 2 / 3), (4, 0.5)]
    assert report.tokens == model.usage.trained_tokens > 0
    [samples] = model.sample(PROMPTS[:1], 2)
    assert {s.text for s in samples} & {e.solution for e in EXAMPLES if e.context == "first"}
    model.fit(EXAMPLES, epochs=1, seed=1)
    assert service.jobs["job-1"]["model"] == "ft:job-0"


@pytest.mark.parametrize("path", ["files", "fine_tuning/jobs", "fine_tuning/jobs/job-0"])
@pytest.mark.parametrize("done", [True, False])
def test_a_restart_pays_for_no_second_job(service: Service, tmp_path: Path, path: str, done: bool) -> None:
    """The connection breaks at each step, after it was done or before; another process goes on."""
    service.faults += [(path, 500, SOON, done)] * 6  # more than it tries
    journal = tmp_path / "jobs.json"
    with suppress(ModelUnavailable):
        make(service, journal).fit(EXAMPLES, epochs=1, seed=0)
    service.faults.clear()
    again = make(service, journal)
    again.fit(EXAMPLES, epochs=1, seed=0)
    assert len(service.jobs) == 1
    assert again.model == "ft:job-0"
    calls = service.calls.copy()
    third = make(service, journal)
    third.fit(EXAMPLES, epochs=1, seed=0)  # finished long ago
    assert third.model == "ft:job-0"
    assert service.calls["POST files"] == calls["POST files"]
    assert len(service.jobs) == 1
    assert third.usage.trained_tokens == again.usage.trained_tokens  # counted once


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("place", ["before a request", "after a request", "before a note", "after a note"])
def test_a_kill_at_any_step_pays_for_no_second_job(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The k-th request or note is the last thing that a process does, for every k that there is."""
    when, _, what = place.split()
    owner, name = (Client, "ask") if what == "request" else (Journal, "note")
    step = getattr(owner, name)
    for k in itertools.count():
        left = k

        def last(*args: Any, **rest: Any) -> Any:
            nonlocal left
            left -= 1
            if left == -1 and when == "before":
                raise Killed
            answer = step(*args, **rest)
            if left == -1:
                raise Killed
            return answer

        journal, jobs = tmp_path / f"{k}.json", len(service.jobs)
        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(owner, name, last)
            make(service, journal).fit(EXAMPLES, epochs=1, seed=0)
        again = make(service, journal)
        again.fit(EXAMPLES, epochs=1, seed=0)
        assert len(service.jobs) == jobs + 1, k
        assert again.model == f"ft:job-{jobs}"
        if left >= 0:  # it was through before its end came
            break
    assert k >= 3


def test_a_job_whose_making_was_not_answered_is_found(service: Service) -> None:
    service.faults += [("POST fine_tuning/jobs", 502, {}, False), ("POST fine_tuning/jobs", 502, {}, True)]
    model = make(service)
    model.fit(EXAMPLES, epochs=1, seed=0)
    assert service.calls["POST fine_tuning"] == 2
    assert list(service.jobs) == ["job-0"]


def test_a_failed_job_is_one_clear_error_and_can_be_tried_again(service: Service, tmp_path: Path) -> None:
    service.ends = "failed"
    model = make(service, tmp_path / "jobs.json")
    with pytest.raises(ModelUnavailable, match=r"job-0 of base failed: the training file is unloved"):
        model.fit(EXAMPLES, epochs=1, seed=0)
    service.ends = "succeeded"
    model.fit(EXAMPLES, epochs=1, seed=0)
    assert len(service.jobs) == 2


def test_what_fails_for_now_is_asked_again(service: Service) -> None:
    service.faults += [("chat", 429, {"Retry-After": "0.05"}, False), ("chat", 503, SOON, False)]
    model = make(service)
    assert len(model.sample(PROMPTS[:1], 3)[0]) > 0
    assert not service.faults
    assert model.usage.retries == 2
    service.faults += [("chat", 400, {}, False)] * 3
    with pytest.raises(ModelUnavailable, match="out of order"):
        model.sample(PROMPTS[:1], 3)
    assert model.usage.retries == 2


@pytest.mark.parametrize("path", ["chat", "fine_tuning/jobs"])
def test_an_account_without_credit_is_not_asked_again(service: Service, tmp_path: Path, path: str) -> None:
    model = make(service, tmp_path / "jobs.json")
    service.code = "insufficient_quota"
    service.faults.append((path, 429, {}, False))
    with pytest.raises(ModelUnavailable, match="The account has no credit") as raised:
        model.sample(PROMPTS[:1], 1) if path == "chat" else model.fit(EXAMPLES, epochs=1, seed=0)
    assert not service.faults
    assert model.usage.retries == 0
    again = pickle.loads(pickle.dumps(raised.value))  # it may come from another process
    assert str(again) == str(raised.value)


def test_the_job_is_not_made_again_and_again_without_credit(service: Service) -> None:
    service.code = "insufficient_quota"
    service.faults += [("POST fine_tuning/jobs", 429, {}, False)] * 4
    with pytest.raises(ModelUnavailable, match="no credit"):
        make(service).fit(EXAMPLES, epochs=1, seed=0)
    assert service.calls["POST fine_tuning"] == 1


def test_a_job_is_found_among_many_and_losses_are_read_from_all_pages(service: Service, tmp_path: Path) -> None:
    service.faults += [("fine_tuning/jobs/job-0", 404, {}, False)]
    with pytest.raises(ModelUnavailable):
        make(service, tmp_path / "jobs.json").fit(EXAMPLES, epochs=1, seed=0)
    for i in range(1, 4):
        service.jobs[f"job-{i}"] = {**service.jobs["job-0"], "id": f"job-{i}", "training_file": "another"}
    stored = json.loads((tmp_path / "jobs.json").read_text())
    [known] = stored["jobs"].values()
    del known["job"]  # as if killed before the answer was noted
    (tmp_path / "jobs.json").write_text(json.dumps(stored))
    service.page = 2
    report = make(service, tmp_path / "jobs.json").fit(EXAMPLES, epochs=1, seed=0)
    assert len(service.jobs) == 4
    assert [step for step, _ in report.losses] == [1, 2, 3, 4]


def test_a_list_that_never_ends_is_left(service: Service) -> None:
    service.page = 0
    model = make(service)
    assert len(model.fit(EXAMPLES, epochs=1, seed=0).losses) == 4
    assert len(model.fit(EXAMPLES, epochs=1, seed=1).losses) == 4


def test_a_job_without_a_model_is_one_clear_error(service: Service) -> None:
    service.nameless = True
    model = make(service)
    with pytest.raises(ModelUnavailable, match="job-0 of base succeeded, but"):
        model.fit(EXAMPLES, epochs=1, seed=0)
    assert model.model == "base"


def test_what_is_no_such_service_is_one_clear_error(service: Service) -> None:
    service.no_json = True
    with pytest.raises(ModelUnavailable, match=r"not JSON\. Check base_url"):
        make(service).sample(PROMPTS[:1], 1)


def test_no_text_at_all_is_one_clear_error(service: Service) -> None:
    service.silent = True
    with pytest.raises(ModelUnavailable, match="without a text"):
        make(service).sample(PROMPTS[:1], 50)
    assert service.calls["POST chat"] == 1


def test_more_samples_than_a_request_may_ask_for(service: Service) -> None:
    assert len(make(service).sample(PROMPTS[:1], 150, unique=False)[0]) > 100
    assert max(request["n"] for request in service.seen) == 128


def test_a_service_that_refuses_more_than_one_choice(service: Service) -> None:
    service.most = 1
    model = make(service)
    lists = model.sample(PROMPTS, 4, unique=False)
    assert all(lists)
    assert "n" not in service.seen[-1]


def test_the_pace_of_work_changes_no_sample(service: Service) -> None:
    prompts = [Prompt(f"task {i}", PROMPTS[0].grammar) for i in range(6)]
    one, eight = (make(service, at_once=k).sample(prompts, 5, seed=4) for k in (1, 8))
    assert one == eight


@pytest.mark.parametrize("wrong", [{"n": -1}, {"temperature": 0.0}])
def test_wrong_numbers_are_refused(service: Service, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected n >= 0"):
        make(service).sample(PROMPTS, **{"n": 1, **wrong})


def test_a_wrong_key_is_one_clear_error_without_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(ModelUnavailable, match="The key is wrong") as raised:
        make(service).sample(PROMPTS[:1], 1)
    assert "sk-wrong" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None  # these would hold the request
    assert service.calls["POST chat"] == 1


def test_no_key_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    model = ServiceModel("m", "", Connection("https://models.example/v1", key_variable="MY_KEY"))
    with pytest.raises(ModelUnavailable, match="environment variable MY_KEY"):
        model.sample(PROMPTS[:1], 1)


@pytest.mark.parametrize("key", ["sk-geheimnüss", "sk-secret\nmore"])
def test_what_cannot_be_a_key_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, service: Service, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelUnavailable, match="cannot be a key") as raised:
        make(service).sample(PROMPTS[:1], 1)
    assert "sk-" not in str(raised.value)


def test_a_line_end_behind_the_key_does_no_harm(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    assert make(service).sample(PROMPTS[:1], 3)


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModuleNotFoundError, match=r"boltbo\[openai\]"):
        make(service).sample(PROMPTS[:1], 1)


def test_the_key_is_kept_nowhere(service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    model = make(service, tmp_path / "jobs.json")
    model.fit(EXAMPLES, epochs=1, seed=0)
    model.sample(PROMPTS, 3)
    model.save(tmp_path / "model")
    kept = [pickle.dumps(model), repr(model).encode(), caplog.text.encode()]
    kept += [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(KEY.encode() in text for text in kept)
    assert pickle.loads(pickle.dumps(model)).sample(PROMPTS[:1], 2) == model.sample(PROMPTS[:1], 2)


def test_services_that_cannot_do_everything(service: Service) -> None:
    service.one_choice = service.no_logprobs = service.no_events = True
    model = make(service)
    assert model.fit(EXAMPLES, epochs=1, seed=0).losses == []
    lists = model.sample(PROMPTS, 4, seed=1)
    assert all(0 < len(samples) <= 4 for samples in lists)
    assert {s.logprob for samples in lists for s in samples} == {float("-inf")}
    asked = len(service.seen)
    model.sample(PROMPTS[:1], 1)
    assert not any("logprobs" in request for request in service.seen[asked:])  # it was told once


def test_invalid_samples_are_counted_and_never_handed_on(service: Service) -> None:
    model = make(service)
    lists = model.sample(PROMPTS, 5, unique=False, seed=2)
    usage = model.usage
    assert 0 < usage.valid < usage.drawn
    assert usage.requests == service.calls["POST chat"]
    assert usage.prompt_tokens == 10 * usage.requests
    assert usage.completion_tokens > 0
    for prompt, samples in zip(PROMPTS, lists, strict=True):
        assert samples
        for s in samples:
            assert prompt.grammar.canonical(s.text) == s.text
            assert 0 < s.valid_mass < 1


def test_a_campaign_on_a_service(service: Service, tmp_path: Path) -> None:
    def campaign() -> Campaign:
        connection = {"base_url": service.url, "poll": 0.01}
        settings = Settings(
            rounds=(2, 2),
            run={"budget": 6, "initial": 4, "optimizer": "random"},
            model={"backend": "openai", "name": "base", "service": connection},
            validation={"samples": 3, "reference_budget": 4},
        )
        return Campaign(Quadratic(), make_tasks(4), make_tasks(1, 1, "v"), settings=settings, storage=tmp_path / "s.db")

    service.faults.append(("fine_tuning/jobs/job-1", 401, {}, False))
    with pytest.raises(ModelUnavailable):
        campaign().run()
    results = campaign().run()
    assert [m["tasks"] for m in results.models] == [2, 4]
    assert [job["model"] for job in service.jobs.values()] == ["base", "base"]
    told = progress_of(campaign().storage)["service"]
    assert told["trained_tokens"] == sum(job["tokens"] for job in service.jobs.values())
    assert told["requests"] > 0


def test_a_damaged_journal_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "service-jobs.json"
    journal = Journal(path)
    journal.note("a", file="f")
    journal.note("a", job="j")
    journal.note("a", file=None)
    journal.count(Usage(requests=2))
    assert Journal(path).job("a") == {"job": "j"}
    assert Journal(path).usage == Usage(requests=2)
    path.write_text(path.read_text()[:20])
    with pytest.raises(CorruptModel, match=r"service-jobs\.json"):
        Journal(path)


def test_a_journal_has_several_writers(tmp_path: Path) -> None:
    one, other = (Journal(tmp_path / "jobs.json") for _ in range(2))
    one.note("a", job="j")
    other.count(Usage(requests=1))
    one.count(Usage(requests=2))
    other.note("b", job="k")
    assert one.job("b") == {"job": "k"}
    assert Journal(tmp_path / "jobs.json").job("a") == {"job": "j"}
    assert Journal(tmp_path / "jobs.json").usage == Usage(requests=3)


def test_a_pace_is_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("boltbo.llm.service.client.time.sleep", slept.append)
    monkeypatch.setattr("boltbo.llm.service.client.time.monotonic", lambda: 100.0)
    service.one_choice = True
    make(service, per_minute=30.0, at_once=1).sample(PROMPTS[:1], 3)
    assert slept == [2.0 * i for i in range(len(slept))]
    assert len(slept) >= 3


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (" mi ( t ) \n", "mi ( t )"),
        ("```sql\nmi t\n```", "mi t"),
        ('"mi t"', "mi t"),
        ("Here it is:\n```\nmi\nt\n```\nEnjoy!", "mi t"),
        ("", ""),
        ("```\nmi t", "mi t"),
        ("mi 't'", "mi 't'"),
    ],
)
def test_what_stands_around_an_answer(raw: str, text: str) -> None:
    assert plain_answer(raw) == text


class Quoted:
    """A grammar in which quotes and line ends are the candidate's own."""

    def canonical(self, text: str) -> str:
        if not text.startswith('"') and text:
            raise InvalidCandidate(text)
        return text


def test_a_candidate_is_taken_as_it_stands_where_it_is_one() -> None:
    assert candidate(Quoted(), ' "a"\n"b" \n') == '"a"\n"b"'  # type: ignore[arg-type]
    assert candidate(Quoted(), '```\n"a" b\n```') == '"a" b'  # type: ignore[arg-type]
    assert candidate(Quoted(), " \n") is None  # type: ignore[arg-type]
    assert candidate(Quoted(), "I cannot help with that.") is None  # type: ignore[arg-type]


def test_the_saved_file_holds_what_is_needed(service: Service, tmp_path: Path) -> None:
    model = make(service)
    model.extra = {"structured_outputs": {"grammar": "g"}}
    model.save(tmp_path / "models" / "m")
    stored = json.loads((tmp_path / "models" / "m" / "service.json").read_text())
    assert stored["connection"]["base_url"] == service.url
    loaded = ServiceModel.load(tmp_path / "models" / "m")
    loaded.sample(PROMPTS[:1], 1)
    assert service.seen[-1]["structured_outputs"] == {"grammar": "g"}
