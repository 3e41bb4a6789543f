"""The page of capture's cases against the tests that it is made from."""

from __future__ import annotations

from tests.capture_cases import CASES, PAGE, UNSHOWN, page, shown


def test_every_case_has_a_test_and_a_word_on_what_is_done_or_is_said_to_have_none() -> None:
    known = [case for cases in CASES.values() for case in cases]
    assert len(known) == len(set(known))
    handled = {one.case for one in shown() if one.handling}
    assert [case for case in known if case not in handled] == list(UNSHOWN)


def test_every_marked_test_names_a_case_that_is_known() -> None:
    known = {case for cases in CASES.values() for case in cases}
    assert [(one.test, one.case) for one in shown() if one.case not in known] == []


def test_the_page_is_what_the_tests_make_it() -> None:
    assert PAGE.read_text() == page(), "python -m tests.capture_cases writes it anew"
