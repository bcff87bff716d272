"""Keep a DuckDB file equal to the CRM: pip install 'kantos-async[dlt]'

    KANTOS_API_KEY=... python examples/to_duckdb.py warehouse.duckdb

Run it again at any time: it loads what has changed since, and goes on where it was killed.
"""

import sys

import dlt

from kantos_async.integrations.dlt import kantos_source, load


def main(path: str) -> None:
    pipeline = dlt.pipeline(
        "kantos_to_duckdb", destination=dlt.destinations.duckdb(path), dataset_name="crm"
    )
    runs = load(pipeline, kantos_source(deletions=True))
    print(f"{len(runs)} runs")
    with pipeline.sql_client() as client:
        for name in pipeline.default_schema.data_table_names(seen_data_only=True):
            table = client.make_qualified_table_name(name)
            ((count,),) = client.execute_sql(f"SELECT count(*) FROM {table}")
            print(f"{name}: {count} records")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "warehouse.duckdb")
