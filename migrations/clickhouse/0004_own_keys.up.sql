-- Whether the caller brought the provider's key for this call.
ALTER TABLE request_logs ADD COLUMN IF NOT EXISTS is_own_key Bool DEFAULT false AFTER price_version;
