"""A well-filled installation: 10,000 organizations, 100,000 keys, and what ten thousand teams leave behind."""

import psycopg

ORGANIZATIONS = 10_000
KEYS = 100_000
# One organization is larger than all others.
LARGE = {"keys": 1_000, "members": 200, "audit": 50_000, "deliveries": 10_000}
ORDINARY, CROWDED = 6_000, 1

_STEPS = {
    "people": """
        INSERT INTO users (id, email, password, name, is_active, is_staff, is_superuser, lock_reason, language,
                           time_zone, theme)
        SELECT 'usr_b' || lpad(n::text, 10, '0'), 'person' || n || '@bench.example', %(password)s, 'Person ' || n,
               true, false, false, '', 'en', 'UTC', 'dark'
        FROM generate_series(1, %(organizations)s * 3 / 2) n""",
    "addresses": """
        INSERT INTO account_emailaddress (user_id, email, verified, "primary")
        SELECT id, email, true, true FROM users WHERE id LIKE 'usr_b%%'""",
    "organizations": """
        INSERT INTO organizations (id, name, slug, plan, suspension_reason)
        SELECT 'org_b' || lpad(n::text, 10, '0'), 'Team ' || n, 'team-' || n, 'free', ''
        FROM generate_series(1, %(organizations)s) n""",
    "members": """
        INSERT INTO memberships (id, organization_id, user_id, role)
        SELECT 'mem_b' || lpad(n::text, 10, '0') || m, 'org_b' || lpad(n::text, 10, '0'),
               'usr_b' || lpad(((n - 1 + m * 4999) %% (%(organizations)s * 3 / 2) + 1)::text, 10, '0'),
               (ARRAY['owner', 'admin', 'developer', 'viewer'])[m + 1]
        FROM generate_series(1, %(organizations)s) n, generate_series(0, 3) m""",
    "more members of one": """
        INSERT INTO memberships (id, organization_id, user_id, role)
        SELECT 'mem_c' || lpad(n::text, 10, '0'), 'org_b0000000001', 'usr_b' || lpad((n + 100)::text, 10, '0'), 'viewer'
        FROM generate_series(1, %(members)s) n""",
    "projects": """
        INSERT INTO projects (id, organization_id, name, slug)
        SELECT 'prj_b' || lpad(n::text, 10, '0') || p, 'org_b' || lpad(n::text, 10, '0'),
               'Project ' || p, 'project-' || p
        FROM generate_series(1, %(organizations)s) n, generate_series(1, 2) p""",
    "environments": """
        INSERT INTO environments (id, organization_id, project_id, name, slug, color, is_live)
        SELECT 'env_' || substr(id, 5) || e, organization_id, id, e, e, 'ok', e = 'production'
        FROM projects, unnest(ARRAY['production', 'development']) e WHERE id LIKE 'prj_b%%'""",
    "keys": """
        INSERT INTO api_keys (id, organization_id, project_id, environment_id, name, hash, prefix, last_four, scopes,
                              allowed_models, allowed_ips, allowed_origins, budget_window, created_by, rotated_to,
                              created_at, revoked_at)
        SELECT 'key_b' || lpad(n::text, 10, '0'), e.organization_id, e.project_id, e.id, 'key ' || n,
               encode(sha256(('bench' || n)::bytea), 'hex'), 'bk_live_' || n, 'abcd', '["gateway"]', '[]', '[]', '[]',
               'month', '', '', now() - n * interval '1 minute', CASE WHEN n %% 10 = 0 THEN now() END
        FROM generate_series(1, %(keys)s) n
        JOIN environments e ON e.id = 'env_b' || CASE WHEN n <= %(large_keys)s THEN '0000000001'
            ELSE lpad((n %% %(organizations)s + 1)::text, 10, '0') END || '1production'""",
    "invitations": """
        INSERT INTO invitations (id, organization_id, email, role, language, token_hash, invited_by, sent_at,
                                 expires_at, accepted_by)
        SELECT 'inv_b' || lpad(n::text, 10, '0') || i, 'org_b' || lpad(n::text, 10, '0'),
               'guest' || i || '@bench.example', 'viewer', 'en', encode(sha256((n || '-' || i)::bytea), 'hex'), '',
               now(), now() + interval '7 days', ''
        FROM generate_series(1, %(organizations)s) n, generate_series(1, 2) i""",
    "audit entries": """
        INSERT INTO audit_entry (entry_id, organization_id, sequence, at, actor_kind, actor_id, action, target_kind,
                                 target_id, after, user_agent, request_id, previous_hash, hash)
        SELECT 'aud_b' || lpad(n::text, 10, '0') || lpad(s::text, 6, '0'), 'org_b' || lpad(n::text, 10, '0'), s,
               now() - (%(audit)s - s) * interval '1 minute', 'user', 'usr_b' || lpad(n::text, 10, '0'),
               (ARRAY['key.created', 'key.revoked', 'member.joined', 'project.updated', 'webhook.tested'])[s %% 5 + 1],
               'key', 'key_b' || lpad((s * 7)::text, 10, '0'), '{"name": "ci"}', '', '', '', repeat('0', 64)
        FROM generate_series(1, %(organizations)s) n,
             generate_series(1, CASE WHEN n = 1 THEN %(audit)s ELSE 30 END) s""",
    "webhooks": """
        INSERT INTO webhooks (id, organization_id, url, description, event_types, is_enabled, disabled_reason, secret,
                              created_by)
        SELECT 'whk_b' || lpad(n::text, 10, '0'), 'org_b' || lpad(n::text, 10, '0'), 'https://203.0.113.1/hook', '',
               '[]', true, '', '', ''
        FROM generate_series(1, %(organizations)s) n""",
    "deliveries": """
        INSERT INTO webhook_deliveries (id, organization_id, webhook_id, event_id, event, body, status, attempts, tries,
                                        began_at, next_attempt_at, finished_at, response_status, error)
        SELECT 'dlv_b' || lpad(n::text, 10, '0') || lpad(d::text, 6, '0'), 'org_b' || lpad(n::text, 10, '0'),
               'whk_b' || lpad(n::text, 10, '0'), 'evt_b' || n || 'x' || d, 'key.created', '{"type": "key.created"}',
               'delivered', 1, 1, now(), now(), now(), 200, ''
        FROM generate_series(1, %(organizations)s) n,
             generate_series(1, CASE WHEN n = 1 THEN %(deliveries)s ELSE 20 END) d""",
    "attempts": """
        INSERT INTO webhook_attempts (id, organization_id, delivery_id, number, at, duration_ms, url, response_status,
                                      response_excerpt, error)
        SELECT 'wat_' || substr(id, 5), organization_id, id, 1, now(), 12, 'https://203.0.113.1/hook', 200, 'ok', ''
        FROM webhook_deliveries""",
    "notifications": """
        INSERT INTO notifications (id, organization_id, user_id, event_id, event, about, is_shown, read_at)
        SELECT 'ntf_' || substr(m.id, 5) || lpad(i::text, 4, '0'), m.organization_id, m.user_id,
               'evt_n' || m.id || i, 'key.created', 'ci', true, CASE WHEN i > 3 THEN now() END
        FROM memberships m, generate_series(1, 10) i WHERE m.id LIKE 'mem_b%%'""",
    "tokens": """
        INSERT INTO personal_tokens (id, user_id, name, hash, prefix, last_four, is_read_only)
        SELECT 'pat_' || substr(id, 5) || t, id, 'laptop', encode(sha256((id || t)::bytea), 'hex'), 'bk_pat_abcdefg',
               'abcd', false
        FROM users, generate_series(1, 2) t WHERE id LIKE 'usr_b%%'""",
}


def fill(url: str, owner_email: str) -> dict[str, int]:
    """Everybody has the password of the owner. Returns how many rows of each."""
    with psycopg.connect(url, autocommit=True) as database:
        row = database.execute("SELECT password FROM users WHERE email = %s", [owner_email]).fetchone()
        assert row is not None
        values = {
            "password": row[0],
            "organizations": ORGANIZATIONS,
            "keys": KEYS,
            "large_keys": LARGE["keys"],
            **{name: LARGE[name] for name in ("members", "audit", "deliveries")},
        }
        made = {name: database.execute(statement, values).rowcount for name, statement in _STEPS.items()}
        database.execute("VACUUM ANALYZE")
    return made
