"""The domain as a campaign sees it: tasks, values, what fails, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from boltbo.campaign.oracle import call_oracle
from boltbo.domain import Domain, Pretraining, SearchSpace, StringSpace
from boltbo.domains.build import Built
from boltbo.domains.peptides.build import build
from boltbo.domains.peptides.domain import PeptidesDomain
from boltbo.domains.peptides.templates import Template
from boltbo.errors import ConfigError
from boltbo.problem import Status, Task
from boltbo.system.progress import Bars

MAGAININ = "GIGKFLHSAKKFGKAFVGEIMNS"
OWN = "support.own_predictor:oracle"


@pytest.fixture
def domain() -> PeptidesDomain:
    return PeptidesDomain(OWN)


@pytest.fixture
def task(domain: PeptidesDomain) -> Task:
    return domain.task_of(Template("magainin-2", MAGAININ))


def built(folder: Path, **options: object) -> Built:
    with build({"predictor": OWN, **options}, 0, folder, Bars(False)) as problem:
        return problem


def test_it_is_a_domain_with_pretraining_pairs(domain: PeptidesDomain, task: Task) -> None:
    assert isinstance(domain, Domain)
    assert isinstance(domain, Pretraining)
    assert isinstance(domain.space(task), StringSpace)
    assert len(list(domain.pretraining_pairs([task], 10, 0))) == 10


def test_the_context_is_the_letters_and_the_objective_where_it_is_not_the_default(domain: PeptidesDomain) -> None:
    assert domain.context("GIGKF") == "G I G K F"
    other = PeptidesDomain(OWN, objective="E. coli - S. aureus")
    assert other.context("GIGKF") == "G I G K F\nagainst E. coli - S. aureus"
    assert "75%" in domain.instruction


def test_the_value_is_the_geometric_mean_in_micromolar(domain: PeptidesDomain, task: Task) -> None:
    mean, _ = domain.predictor.predict([MAGAININ])
    assert domain.evaluate(task, MAGAININ, None) == pytest.approx(10 ** mean.mean())
    careful = PeptidesDomain(OWN, objective="E. coli", pessimism=2.0)
    assert careful.evaluate(task, MAGAININ, None) == pytest.approx(10 ** (mean[0, 0] + 0.2))
    selective = PeptidesDomain(OWN, objective="E. coli - S. aureus")
    assert selective.evaluate(task, MAGAININ, None) == pytest.approx(10**-0.3)


@pytest.mark.parametrize(
    ("candidate", "status", "said"),
    [
        ("W" + MAGAININ[1:], Status.COMPLETE, ""),
        ("A" * 23, Status.INFEASIBLE, "similar to the template"),
        ("WWW" + MAGAININ[3:], Status.FAILED, "nan"),
        ("CCC" + MAGAININ[3:], Status.FAILED, "three cysteines"),
    ],
)
def test_what_becomes_of_an_oracle_call(
    domain: PeptidesDomain, task: Task, candidate: str, status: Status, said: str
) -> None:
    observation = call_oracle(domain, task, candidate, "bo", None)
    assert observation.status is status
    assert said in observation.note


def test_what_is_known_is_not_predicted_again(domain: PeptidesDomain) -> None:
    texts = [MAGAININ, "K" + MAGAININ[1:], MAGAININ]
    before = domain.predictor.calls
    first = domain.values(texts)
    assert domain.predictor.calls == before + 1
    assert (domain.values(texts[::-1]) == first[::-1]).all()
    assert domain.predictor.calls == before + 1


def test_workers_get_the_configuration_and_open_their_own(domain: PeptidesDomain, task: Task) -> None:
    value = domain.evaluate(task, MAGAININ, None)
    again = pickle.loads(pickle.dumps(domain))
    assert again._opened is None
    assert again.evaluate(task, MAGAININ, None) == value


def test_the_benchmark_as_tasks(tmp_path: Path) -> None:
    problem = built(tmp_path, train=6, validation=4)
    assert (len(problem.tasks), len(problem.validation)) == (6, 4)
    smaller = built(tmp_path, train=3, validation=2)
    assert [*smaller.tasks, *smaller.validation] == [*problem.tasks[:3], *problem.validation[:2]]
    assert built(tmp_path, train=6, validation=4, split_seed=1).tasks != problem.tasks


def test_templates_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.fasta"
    path.write_text(">a\nGIGKFLHSAKKFGKAF\n>b\nFLPLIGRVLSGIL\n>c\nTRSSRAGLQFPVGRV\n>d\nKWKLFKKIEKVGQNI\n")
    problem = built(tmp_path, templates=str(path), validation=1)
    assert len(problem.tasks) == 3
    assert problem.task_from is not None
    with pytest.raises(ConfigError, match="4 templates, one was expected"):
        problem.task_from(path)
    path.write_text(">a\nGIGKFLHSAKKFGKAF\n")
    assert problem.task_from(path).data == {"template": "GIGKFLHSAKKFGKAF"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trian": 3}, "trian: no such key"),
        ({"train": 1401}, "1400 training and 100 validation templates, 1401"),
        ({"objective": "E. colli"}, "no species of the predictor"),
        ({"similarity": 0.99}, "none of its .* residues may change; 0"),
        ({"predictor": "nowhere"}, "no predictor at 'nowhere'"),
        ({"templates": "none.fasta"}, "none.fasta cannot be read"),
        ({"pessimism": -1}, "pessimism"),
    ],
)
def test_a_wrong_option_is_one_error(tmp_path: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        built(tmp_path, **{"train": 2, "validation": 1, **options})


def test_every_point_of_the_latent_space_is_a_feasible_relative(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("GIGKFLHSAKKFGKAF\nKKK\nFLPLIGRVLSGIL\n")
    options = {"space": "latent", "corpus": str(corpus), "sequences": 50, "latent": 8, "train": 4, "validation": 1}
    problem = built(tmp_path, **options)
    task = problem.validation[0]
    space, grammar = problem.domain.space(task), problem.domain.grammar(task)
    assert isinstance(space, SearchSpace)
    decoded = space.decode(np.random.default_rng(0).random((30, space.dim)))
    assert [grammar.canonical(c) for c in decoded] == decoded
    written = (tmp_path / "vae" / "model.safetensors").stat().st_mtime_ns
    assert built(tmp_path, **options).domain.space(task).decode(np.full((1, 8), 0.5))
    assert (tmp_path / "vae" / "model.safetensors").stat().st_mtime_ns == written
