"""Kantos into a warehouse, by dlt (`pip install 'kantos-async[dlt]'`).

    import dlt
    from kantos_async.integrations.dlt import kantos_source, load

    pipeline = dlt.pipeline("kantos", destination="duckdb", dataset_name="crm")
    load(pipeline, kantos_source(["contacts", "deals"]))

dlt keeps the state, evolves the schema and knows the destinations. A table is named by its
object's slug and has a column for each field.
"""

from importlib.util import find_spec

if find_spec("dlt") is None:
    raise ImportError("this integration needs dlt: pip install 'kantos-async[dlt]'")

from .source import KantosSource, kantos_source, load

__all__ = ["KantosSource", "kantos_source", "load"]
