from hypothesis import given
from hypothesis import strategies as st

from api.lists.pages import Asked, to_page
from core.queries.lists import Listing


@given(total=st.integers(0, 5000), page_size=st.integers(1, 1000))
def test_the_counts_of_all_pages_add_up(total, page_size):
    first = to_page(list(range(min(total, page_size))), total, Asked(Listing(page_size=page_size)))
    pages = first.pagination.total_pages
    assert (pages - 1) * page_size < total <= pages * page_size or total == pages == 0
    assert first.pagination.current_page_size == len(first.data)
    assert first.pagination.total_results == total


def test_a_page_repeats_what_was_asked_for():
    asked = Asked(Listing(page=2, page_size=10, sort="updated_at"), {"name": "a"}, {"name": ["b"]})
    assert to_page(["a"], 11, asked).model_dump() == {
        "object": "list",
        "data": ["a"],
        "pagination": {"page": 2, "page_size": 10, "current_page_size": 1, "total_pages": 2, "total_results": 11},
        "sort": "updated_at",
        "filter": {"name": "a"},
        "search": {"name": ["b"]},
    }
