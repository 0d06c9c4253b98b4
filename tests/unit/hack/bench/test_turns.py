"""Whether a queue was worked off in its order."""

from bench.turns import Turn, Waits, count_overtaken, find_most_unfinished, tabulate

IN_ORDER = [Turn(20, 0, 3), Turn(20, 1, 2), Turn(10, 2, 5), Turn(0, 3, 6)]


def test_what_is_in_work_at_the_same_time_may_end_in_any_order() -> None:
    overlapping = [Turn(20, 0, 4), Turn(10, 1, 2), Turn(10, 2, 3)]
    assert count_overtaken(overlapping) == 0
    assert find_most_unfinished(overlapping) == 1


def test_one_that_ends_before_a_higher_one_begins_has_overtaken_it() -> None:
    assert count_overtaken(IN_ORDER) == 0
    assert count_overtaken([*IN_ORDER, Turn(10, 0, 0.5)]) == 1
    assert find_most_unfinished([*IN_ORDER, Turn(10, 0, 0.5)]) == 2


def test_equal_priorities_overtake_nobody() -> None:
    assert count_overtaken([Turn(10, 0, 1), Turn(10, 5, 6)]) == find_most_unfinished([Turn(10, 0, 1), Turn(10, 5, 6)])


def test_the_table_has_bars_memory_and_waits() -> None:
    table = tabulate(IN_ORDER, 8, {1: 110.4, 4: 111.6}, [Waits(50, 300)], [Waits(60, 400), Waits(80, 600)])
    assert (
        table
        == """\
finished while one of a higher priority waited             0    (bar 0)
of a higher priority and in work when one finished         0    (bar 7)
answered                                   1       4
driver, MiB                              110     112
one alone in another namespace, ms at the median        idle  beside
apply to Admitted                                         50      70
apply to Succeeded                                       300     500"""
    )
