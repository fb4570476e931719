"""The page that says what is proved, and what stands in the tests, are one."""

from tests.conformance.gateway.report import CASES, CLIENTS, PAGE, cells_in, marks, sensible


def test_every_case_has_a_test_by_every_client_for_which_it_makes_sense():
    assert sorted(sensible() - marks()) == []
    assert sorted(marks() - sensible()) == []


def test_the_page_shows_them_all_and_nothing_failed():
    """Write it anew with `make conformance-report`."""
    cells = cells_in(PAGE.read_text())
    assert set(cells) == {(number, client) for number in CASES for client in CLIENTS}
    assert {where for where, cell in cells.items() if cell.startswith("✔ ")} == sensible()
    assert {cell for where, cell in cells.items() if where not in sensible()} == {"—"}
