"""One run of dlt from Postgres to Postgres, written after its documentation of sql_database and incremental loading.

Arguments: SOURCE_URL TARGET_URL PIPELINES_DIR DATASET LAG_SECONDS (0: none)
"""

import sys

import dlt
from dlt.sources.sql_database import sql_table

source_url, target_url, pipelines_dir, dataset, lag = sys.argv[1:]

orders = sql_table(
    credentials=source_url.replace("postgres://", "postgresql+psycopg2://"),
    schema="public",
    table="orders",
    incremental=dlt.sources.incremental("updated_at", lag=float(lag) or None),
    primary_key="id",
    write_disposition={"disposition": "merge", "strategy": "upsert"},
)
pipeline = dlt.pipeline(
    "orders",
    pipelines_dir=pipelines_dir,
    dataset_name=dataset,
    destination=dlt.destinations.postgres(target_url.replace("postgres://", "postgresql://")),
)
pipeline.run(orders).raise_on_failed_jobs()
