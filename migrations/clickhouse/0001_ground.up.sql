-- What end users did, and what happened to them. Rows are deduplicated by event_id.
CREATE TABLE IF NOT EXISTS events
(
    event_id String,
    organization_id String,
    project_id String,
    environment_id String,
    kind LowCardinality(String),
    name String,
    user_id String DEFAULT '',
    anonymous_id String DEFAULT '',
    properties String DEFAULT '{}' CODEC(ZSTD(3)),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX events_by_user user_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX events_by_anonymous anonymous_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX events_by_name name TYPE set(100) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(at)
ORDER BY (organization_id, environment_id, at, event_id)
TTL toDateTime(at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- Numbers over time. The name stands before the time, for a series is read by its name.
CREATE TABLE IF NOT EXISTS metrics
(
    metric_id String,
    organization_id String,
    project_id String,
    environment_id String,
    name LowCardinality(String),
    labels Map(LowCardinality(String), String),
    value Float64,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(at)
ORDER BY (organization_id, environment_id, name, at, metric_id)
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000;
