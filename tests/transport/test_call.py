"""How a call becomes a URL."""

from __future__ import annotations

from urllib.parse import urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from kantos_async.transport.call import query_string

texts = st.text() | st.sampled_from(["object_id", "created_at", "100", "obj_contacts"])


@given(st.lists(st.tuples(texts, texts)))
@example([("filters", '{"name":{"$contains":"Zoë & Söhne"}}'), ("a b", "~.-_+%\n")])
def test_a_query_string_is_the_standard_one(params: list[tuple[str, str]]) -> None:
    assert query_string(params) == urlencode(params)
