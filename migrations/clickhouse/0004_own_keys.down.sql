ALTER TABLE request_logs DROP COLUMN IF EXISTS is_own_key;
