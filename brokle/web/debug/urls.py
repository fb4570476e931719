from django.urls import path

from brokle.web.debug import views

urlpatterns = [
    path("", views.show_processor, name="debug-processor"),
    path("memory", views.show_memory, name="debug-memory"),
    path("memory/recording", views.record_memory, name="debug-memory-recording"),
    path("queries", views.show_queries, name="debug-queries"),
    path("queries/forget", views.forget_queries, name="debug-queries-forget"),
    path("queries/<slug:query_id>/plan", views.explain_query, name="debug-query-plan"),
    path("redis", views.show_redis, name="debug-redis"),
    path("clickhouse", views.show_clickhouse, name="debug-clickhouse"),
]
