"""The engine's configuration files: small caches and pools, durable inserts, and grants that keep clients inside.

chDB reads them as clickhouse-server would. All clients are the one user `default` of users.xml; what it was not
granted (files, URLs, foreign databases, users, dictionaries, SYSTEM SHUTDOWN) the engine refuses with code 497.
"""

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

MEBIBYTE = 1024 * 1024

# chDB lays one database over the file system, where an unknown table is a file name: this one, detached at start.
OVERLAY_DATABASE = "_files"

_TABLE_ENGINES = [
    "MergeTree",
    "ReplacingMergeTree",
    "SummingMergeTree",
    "AggregatingMergeTree",
    "CollapsingMergeTree",
    "CoalescingMergeTree",
    "VersionedCollapsingMergeTree",
    "Memory",
    "Null",
    "Merge",
    "Join",
    "Set",
    "Atomic",
]

_RIGHTS = (
    "SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, DROP, UNDROP TABLE, "
    "SHOW, TRUNCATE, OPTIMIZE, KILL QUERY, dictGet, SYSTEM VIEWS, SYSTEM MERGES, SYSTEM FLUSH LOGS, SYSTEM DROP CACHE, "
    "SYSTEM JEMALLOC"
)
_GRANTS = (f"GRANT {_RIGHTS} ON *.*", *(f"GRANT TABLE ENGINE ON {engine}" for engine in _TABLE_ENGINES))

# Settings by which a query could name a file, an address, or a disk of its own, or undo what this file fixes.
_FIXED_SETTINGS = [
    "implicit_select",
    "format_schema",
    "format_schema_source",
    "format_avro_schema_registry_url",
    "output_format_schema",
    "format_template_resultset",
    "format_template_row",
    "input_format_record_errors_file_path",
    "allow_introspection_functions",
    "query_profiler_real_time_period_ns",
    "query_profiler_cpu_time_period_ns",
    "merge_tree_disk",
    "merge_tree_storage_policy",
]


@dataclass(frozen=True, slots=True)
class Limits:
    memory_mb: int = 1024
    threads: int = 2

    @property
    def server_bytes(self) -> int:
        return self.memory_mb * MEBIBYTE

    @property
    def query_bytes(self) -> int:
        return self.server_bytes * 6 // 10


def write(folder: Path, limits: Limits) -> Path:
    """Writes both files, readable by the owner only, and returns the path of the first."""
    users = folder / "users.xml"
    server = folder / "server.xml"
    _write_private(users, _users_xml(limits))
    _write_private(server, _server_xml(folder, users, limits))
    return server


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _elements(values: dict[str, object]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())


def _server_xml(folder: Path, users: Path, limits: Limits) -> str:
    server = {
        "users_config": users,
        "default_database": OVERLAY_DATABASE,
        "timezone": "UTC",
        "user_files_path": f"{folder / 'user_files'}/",
        "user_scripts_path": f"{folder / 'user_scripts'}/",
        "format_schema_path": f"{folder / 'format_schemas'}/",
        "max_server_memory_usage": limits.server_bytes,
        "mark_cache_size": 16 * MEBIBYTE,
        "index_mark_cache_size": 4 * MEBIBYTE,
        "uncompressed_cache_size": 0,
        "index_uncompressed_cache_size": 0,
        "primary_index_cache_size": 16 * MEBIBYTE,
        "mmap_cache_size": 16,
        "query_condition_cache_size": 2 * MEBIBYTE,
        "vector_similarity_index_cache_size": 0,
        "compiled_expression_cache_size": 4 * MEBIBYTE,
        "compiled_expression_cache_elements_size": 256,
        "background_pool_size": 2,
        "background_merges_mutations_concurrency_ratio": 2,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
        "background_common_pool_size": 2,
        "background_buffer_flush_schedule_pool_size": 1,
        "background_schedule_pool_size": 4,
        "background_message_broker_schedule_pool_size": 1,
        "background_distributed_schedule_pool_size": 1,
        "tables_loader_foreground_pool_size": 2,
        "tables_loader_background_pool_size": 1,
        "max_thread_pool_size": 256,
        "max_thread_pool_free_size": 8,
        "max_io_thread_pool_size": 8,
        "max_io_thread_pool_free_size": 0,
        "asynchronous_metrics_update_period_s": 60,
    }
    merge_tree = {
        "fsync_after_insert": 1,
        "fsync_part_directory": 1,
        "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 2,
        "number_of_free_entries_in_pool_to_execute_mutation": 2,
        "number_of_free_entries_in_pool_to_execute_optimize_entire_partition": 2,
    }
    query_cache = {"max_size_in_bytes": 8 * MEBIBYTE, "max_entries": 256}
    return (
        f"<clickhouse>{_elements(dict(server))}"
        f"<merge_tree>{_elements(dict(merge_tree))}</merge_tree>"
        f"<query_cache>{_elements(dict(query_cache))}</query_cache></clickhouse>\n"
    )


def _users_xml(limits: Limits) -> str:
    profile = {
        "max_threads": limits.threads,
        "max_memory_usage": limits.query_bytes,
        "max_bytes_ratio_before_external_group_by": 0.5,
        "max_bytes_ratio_before_external_sort": 0.5,
        "implicit_select": 0,
        "query_profiler_real_time_period_ns": 0,
        "query_profiler_cpu_time_period_ns": 0,
        "allow_introspection_functions": 0,
    }
    fixed = "".join(f"<{name}><readonly/></{name}>" for name in _FIXED_SETTINGS)
    memory = f"<max_memory_usage><min>1</min><max>{limits.query_bytes}</max></max_memory_usage>"
    grants = "".join(f"<query>{grant}</query>" for grant in _GRANTS)
    return (
        f"<clickhouse><profiles><default>{_elements(dict(profile))}"
        f"<constraints>{fixed}{memory}</constraints></default></profiles>"
        "<users><default><password></password><profile>default</profile><quota>default</quota>"
        f"<networks><ip>::/0</ip></networks><grants>{grants}</grants></default></users>"
        "<quotas><default/></quotas></clickhouse>\n"
    )
