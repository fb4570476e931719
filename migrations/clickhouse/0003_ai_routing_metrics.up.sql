-- One row for each attempt of a call on a route: who was asked, by which strategy, and why not where it failed.
CREATE TABLE IF NOT EXISTS ai_routing_metrics
(
    request_id String,
    attempt UInt8,
    organization_id String,
    project_id String,
    environment_id String,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    route LowCardinality(String),
    route_version UInt32 DEFAULT 0,
    strategy LowCardinality(String) DEFAULT '',
    provider LowCardinality(String) DEFAULT '',
    model LowCardinality(String) DEFAULT '',
    status UInt16 DEFAULT 0,
    cause LowCardinality(String) DEFAULT '',
    latency_ms Float64 DEFAULT 0,
    is_chosen Bool DEFAULT false,
    cost_usd_nanos Int64 DEFAULT 0,
    received_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX ai_routing_metrics_by_id request_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(at)
ORDER BY (organization_id, environment_id, at, request_id, attempt)
TTL toDateTime(at) + INTERVAL 365 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
