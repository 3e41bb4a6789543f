"""How old a place in the log is, how fast a slot grows and when that ends."""

from __future__ import annotations

from cdc.lsn import Lsn
from cdc.slot_growth import LogClock, growth_bytes_a_minute, seconds_until


def test_a_places_age_is_how_long_ago_the_logs_end_passed_it() -> None:
    clock = LogClock()
    for at, head in ((100.0, 1000), (110.0, 2000), (120.0, 2000), (130.0, 3000)):
        clock.add(at, Lsn(head))
    assert clock.age_s(Lsn(3000), 140.0) == 0.0  # nothing is behind it
    assert clock.age_s(Lsn(1500), 140.0) == 35.0
    assert clock.age_s(Lsn(2000), 140.0) == 20.0  # the end stood there until 120
    assert clock.age_s(Lsn(999), 140.0) is None  # before anybody looked


def test_another_servers_log_begins_a_new_clock() -> None:
    clock = LogClock()
    clock.add(100.0, Lsn(5000))
    clock.add(110.0, Lsn(100))
    assert clock.age_s(Lsn(100), 120.0) == 0.0
    assert clock.age_s(Lsn(50), 120.0) is None


def test_a_day_of_samples_is_kept_in_few() -> None:
    clock = LogClock()
    for number in range(8640):
        clock.add(number * 10.0, Lsn(number * 1000))
    assert len(clock.samples) < 250
    assert clock.samples[0][0] == 0.0
    for hours in (1, 6, 20):
        then = 86_400 - hours * 3600
        age = clock.age_s(Lsn(then * 100), 86_400.0)
        assert age is not None
        assert abs(age - hours * 3600) < 0.1 * hours * 3600


def test_growth_is_that_of_the_last_minutes() -> None:
    assert growth_bytes_a_minute([]) is None
    assert growth_bytes_a_minute([(0.0, 5)]) is None
    assert growth_bytes_a_minute([(0.0, 0), (60.0, 600)]) == 600
    assert growth_bytes_a_minute([(0.0, 0), (3600.0, 1000), (3660.0, 4000)]) == 3000
    assert growth_bytes_a_minute([(0.0, 600), (60.0, 0)]) == -600


def test_an_end_is_foreseen_only_where_something_grows_towards_it() -> None:
    assert seconds_until(600, 60.0) == 600
    assert seconds_until(600, 0.0) is None
    assert seconds_until(600, -5.0) is None
    assert seconds_until(600, None) is None
    assert seconds_until(None, 60.0) is None
    assert seconds_until(-1, -5.0) == 0.0
