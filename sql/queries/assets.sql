-- name: known_gpus()
-- Who the GPUs are, by the newest labels that they sent with a sample.
SELECT DISTINCT ON (gpu_id) gpu_id, host_id, labels FROM gpu_health_metrics
WHERE labels IS NOT NULL ORDER BY gpu_id, time DESC;

-- name: upsert(asset_id, gpu_id, asset_tag, serial, model, host_id, pci_bus_id, slot, rack_id, datacenter, deployed_date, purchase_date, purchase_price_usd, warranty_expiry, known_issues, removed_at, notes, joined_by)!
INSERT INTO gpu_assets (asset_id, gpu_id, asset_tag, serial, model, host_id, pci_bus_id, slot, rack_id, datacenter,
    deployed_date, purchase_date, purchase_price_usd, warranty_expiry, known_issues, removed_at, notes, joined_by)
VALUES (:asset_id, :gpu_id, :asset_tag, :serial, :model, :host_id, :pci_bus_id, :slot, :rack_id, :datacenter,
    :deployed_date, :purchase_date, :purchase_price_usd, :warranty_expiry, :known_issues, :removed_at, :notes,
    :joined_by)
ON CONFLICT (asset_id) DO UPDATE SET gpu_id = excluded.gpu_id, asset_tag = excluded.asset_tag,
    serial = excluded.serial, model = excluded.model, host_id = excluded.host_id, pci_bus_id = excluded.pci_bus_id,
    slot = excluded.slot, rack_id = excluded.rack_id, datacenter = excluded.datacenter,
    deployed_date = excluded.deployed_date, purchase_date = excluded.purchase_date,
    purchase_price_usd = excluded.purchase_price_usd, warranty_expiry = excluded.warranty_expiry,
    known_issues = excluded.known_issues, removed_at = excluded.removed_at, notes = excluded.notes,
    joined_by = excluded.joined_by, imported_at = now();

-- name: release_gpus(asset_ids, gpu_ids)!
-- A GPU that moves from one asset to another in the same import must not stand in two rows on the way.
UPDATE gpu_assets SET gpu_id = NULL, joined_by = NULL
WHERE gpu_id = ANY (:gpu_ids) AND asset_id <> ALL (:asset_ids) OR asset_id = ANY (:asset_ids);

-- name: all_assets()
SELECT * FROM gpu_assets_aged ORDER BY host_id NULLS LAST, slot NULLS LAST, asset_id;
