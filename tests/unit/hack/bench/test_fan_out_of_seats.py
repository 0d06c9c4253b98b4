from bench.fan_out_of_seats import Times


def test_ratios_are_those_of_runs_that_met_the_same_machine() -> None:
    """A run on a machine that was twice as slow for all three says the same as the others."""
    times = Times(one=[500, 1000, 500], many=[550, 1100, 555], ideal=[500, 1000, 500])
    lines = times.tabulate(15, 500).splitlines()
    assert lines[0] == "calls of 500 ms, 3 runs, medians"
    assert lines[1].split()[-2:] == ["500", "ms"]
    assert lines[4] == "15 seats over 1 seat                      1.10    (bar 1.13)"
    assert lines[5] == "15 seats over asyncio                     1.10    (bar 1.2)"
