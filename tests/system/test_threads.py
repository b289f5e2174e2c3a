"""How many threads torch is given."""

from __future__ import annotations

import torch

from boltbo.system.threads import KEEP_S, TRY_S, _Choice, torch_threads_by_load


class Machine:
    """Works at a rate that depends on the number of threads and on what else runs, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.threads = 0
        self.rates = {2: 10.0, 1: 6.0}
        self.worked = {2: 0.0, 1: 0.0}

    def use(self, threads: int) -> None:
        self.threads = threads

    def work(self, choice: _Choice, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.1
            self.worked[self.threads] += 0.1
            choice.done(0.1 * self.rates[self.threads])


def test_the_faster_number_of_threads_does_nearly_all_and_loses_its_place_when_it_slows_down() -> None:
    machine = Machine()
    choice = _Choice((2, 1), machine.use, lambda: machine.now)
    assert machine.threads == 2
    machine.work(choice, 300)
    assert machine.worked[1] < 300 * 1.5 * TRY_S / KEEP_S
    machine.rates[2] = 1.0  # another process came
    machine.worked = {2: 0.0, 1: 0.0}
    machine.work(choice, 300)
    assert machine.worked[2] < KEEP_S + 300 * 1.5 * TRY_S / KEEP_S
    machine.rates[2] = 10.0  # and went
    machine.worked = {2: 0.0, 1: 0.0}
    machine.work(choice, 300)
    assert machine.worked[1] < KEEP_S + 300 * 1.5 * TRY_S / KEEP_S


def test_torch_has_its_threads_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch_threads_by_load() as done:
            for _ in range(3):
                done(1.0)
                torch.set_num_threads(1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
