-- One row for each gateway request, deduplicated by request_id.
CREATE TABLE IF NOT EXISTS request_logs
(
    request_id String,
    organization_id String,
    project_id String,
    environment_id String,
    key_id String DEFAULT '',
    trace_id String DEFAULT '',
    span_id String DEFAULT '',
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    endpoint LowCardinality(String),
    model_requested String DEFAULT '',
    model LowCardinality(String) DEFAULT '',
    provider LowCardinality(String) DEFAULT '',
    route String DEFAULT '',
    stream Bool DEFAULT false,
    status UInt16,
    error_code LowCardinality(String) DEFAULT '',
    attempts UInt8 DEFAULT 0,
    cache LowCardinality(String) DEFAULT '',
    input_tokens UInt32 DEFAULT 0,
    cache_read_tokens UInt32 DEFAULT 0,
    cache_write_tokens UInt32 DEFAULT 0,
    output_tokens UInt32 DEFAULT 0,
    reasoning_tokens UInt32 DEFAULT 0,
    cost_usd_nanos Int64 DEFAULT 0,
    price_version String DEFAULT '',
    latency_ms Float64 DEFAULT 0,
    ttft_ms Float64 DEFAULT 0,
    overhead_ms Float64 DEFAULT 0,
    user_id String DEFAULT '',
    session_id String DEFAULT '',
    tags Map(LowCardinality(String), String),
    ip String DEFAULT '',
    user_agent String DEFAULT '',
    received_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX request_logs_by_id request_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX request_logs_by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX request_logs_by_user user_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX request_logs_by_session session_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toDate(at)
ORDER BY (organization_id, environment_id, at, request_id)
TTL toDateTime(at) + INTERVAL 60 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
