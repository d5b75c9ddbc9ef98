-- What the owner knows of each GPU. The key is the owner's own: a GPU may be listed before it was ever seen.
CREATE TABLE IF NOT EXISTS gpu_assets (
    asset_id text PRIMARY KEY,
    gpu_id text UNIQUE,
    asset_tag text,
    serial text,
    model text,
    host_id text,
    pci_bus_id text,
    slot text,
    rack_id text,
    datacenter text,
    deployed_date date,
    purchase_date date,
    purchase_price_usd double precision,
    warranty_expiry date,
    known_issues text,
    removed_at timestamptz,
    notes text,
    joined_by text CHECK (joined_by IN ('gpu_id', 'serial', 'host_and_pci')),
    imported_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS gpu_assets_serial ON gpu_assets (serial);
-- An age cannot be a generated column: today is not immutable.
CREATE OR REPLACE VIEW gpu_assets_aged AS
SELECT a.*,
    CURRENT_DATE - deployed_date AS age_days,
    warranty_expiry >= CURRENT_DATE AS in_warranty
FROM gpu_assets a;
