"""A classifier's label columns are read once per evaluation, with the score that mteb gives without that."""

import mteb
from scoring import tiny_tasks
from scoring.test_scoring_halves import Plain

from tl_search.scoring.labels import read_labels_once


class Counted:
    """A training table that counts how often its labels are asked for."""

    def __init__(self, table):
        self.table, self.asked = table, 0

    def __getitem__(self, key):
        self.asked += key == "label"
        return self.table[key]

    def __len__(self):
        return len(self.table)

    def __getattr__(self, name):
        return getattr(self.table, name)


def test_labels_are_read_once_for_all_experiments_and_the_draws_are_the_same(embed):
    plain, quick = tiny_tasks.TinyClassification(), tiny_tasks.TinyClassification()
    plain.load_data(), quick.load_data()
    read_labels_once(quick)
    table, places, drawn = Counted(quick.dataset["train"]), None, []
    for experiment in range(3):
        _, places, chosen = quick._undersample_data(table, experiment, places)
        drawn.append(chosen)
    assert table.asked == 1
    places = None
    for experiment in range(3):
        _, places, chosen = plain._undersample_data(plain.dataset["train"], experiment, places)
        assert chosen == drawn[experiment]
    scores = [
        mteb.evaluate(Plain(embed), task, cache=None, co2_tracker=False, show_progress_bar=False).task_results[0]
        for task in (plain, quick)
    ]
    assert scores[0].get_score() == scores[1].get_score()
