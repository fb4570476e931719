DROP TABLE IF EXISTS ai_routing_metrics SYNC;
