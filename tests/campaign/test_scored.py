"""An oracle that scores another candidate than the one asked for: what is recorded is what was scored."""

from boltbo.campaign.run import solve
from boltbo.optimizers import make_optimizer
from boltbo.problem import Evaluation, Observation, Status, Task
from boltbo.spaces import Slots
from boltbo.storage import Run, Stage, open_storage

SPACE = Slots([[str(i) for i in range(6)]] * 2)


class Rounding:
    """Scores only even numbers: an odd one is taken for the even one below it."""

    name = "rounding"
    instruction = ""

    def __init__(self):
        self.calls = []

    def evaluate(self, task, candidate, best):
        self.calls.append(candidate)
        numbers = [int(n) // 2 * 2 for n in candidate.split()]
        return Evaluation(float(sum(numbers)), scored=" ".join(map(str, numbers)))

    def initial_design(self, task, n, rng):
        return ["5 5"][:n]

    def space(self, task):
        return SPACE

    def grammar(self, task):
        return SPACE


def test_what_was_scored_is_recorded_and_nothing_is_asked_twice(tmp_path):
    domain, path = Rounding(), tmp_path / "store.db"
    with open_storage(str(path)) as store:
        store.attach("c", "rounding", {}, "0")
        run = Run(Stage.TRAIN, 0, Task("t", "c"), (("5 5", "design"),), budget=20, batch=1, optimizer="local", seed=1)
        store.add_runs([run])
        [stored] = store.runs(Stage.TRAIN, 0)
        trajectory = solve(domain, store, stored.id)
        again = store.observations(stored.id)
    assert again == trajectory.observations
    first = trajectory.observations[0]
    assert (first.candidate, first.asked, first.value) == ("4 4", "5 5", 8.0)
    assert all(o.value == sum(map(int, o.candidate.split())) for o in trajectory.observations)
    assert all((o.asked == "") == all(int(n) % 2 == 0 for n in call.split())
               for o, call in zip(trajectory.observations, domain.calls, strict=True))  # fmt: skip
    assert 0 < trajectory.as_asked < 1
    assert len(set(domain.calls)) == len(domain.calls) == 20


def test_an_optimizer_does_not_ask_again_for_what_became_another_candidate():
    optimizer = make_optimizer("random", SPACE, seed=0)
    optimizer.tell([Observation("0 0", 1.0, Status.COMPLETE, 0.0, "bo", asked=f"{a} {b}")
                    for a in range(6) for b in range(6) if (a, b) != (3, 3)])  # fmt: skip
    assert optimizer.ask(1) == ["3 3"]
