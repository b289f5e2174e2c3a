"""The latent space of plan strings on a real server."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from boltbo.campaign.run import solve
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.search.latent import Recipe, ensure_vae
from boltbo.problem import Status
from boltbo.storage import Run, Stage, open_storage

SQL = """
SELECT COUNT(*) FROM title AS t, movie_keyword AS mk, keyword AS k, movie_info AS mi
WHERE t.id = mk.movie_id AND mk.keyword_id = k.id AND mi.movie_id = t.id AND t.production_year > 1990
"""


@pytest.fixture(scope="module")
def strings(imdb_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    domain = PlansDomain(imdb_url, patience=3.0, space="latent", vae=folder)
    ensure_vae([parse_query(SQL)], folder, Recipe(plans=200, epochs=2.0, latent=8), domain.dialect.abilities)
    yield domain
    domain.server.close()


def test_every_point_is_a_plan_and_the_servers_own_have_points(strings):
    task = strings.task_of("q", SQL, 0.02)  # seconds: bad plans are stopped soon
    space, grammar = strings.space(task), strings.grammar(task)
    assert space.dim == 8
    for text in space.decode(np.random.default_rng(0).random((20, 8))):
        assert grammar.canonical(text) == text
    for text in strings.initial_design(task, 4, np.random.default_rng(0)):
        assert grammar.canonical(space.decode(space.encode(text))[0]).split()[0] != "default"


def test_a_run_searches_in_it(strings, tmp_path):
    strings = pickle.loads(pickle.dumps(strings))  # as worker processes get it
    task = strings.task_of("q", SQL, 0.02)  # seconds: bad plans are stopped soon
    with open_storage(str(tmp_path / "s.db")) as store:
        store.attach("c", "plans", {}, "")
        store.add_runs([Run(Stage.SINGLE, 0, task, (("default", "default"),), 8, 1, "turbo", {}, 0)])
        found = solve(strings, store, store.runs()[0].id)
    assert len({o.candidate for o in found.observations}) > 3
    assert {o.status for o in found.observations} <= {Status.COMPLETE, Status.CENSORED}
    strings.server.close()


def test_nobody_who_does_not_search_in_it_imports_torch():
    code = "import sys, boltbo.domains.plans.workload; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
