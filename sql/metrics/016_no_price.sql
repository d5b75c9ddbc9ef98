-- A GPU whose model has no price gets advice without money on it (Recommendation of schema_version 2).
ALTER TABLE gpu_recommendations
    ALTER COLUMN "expected_value_usd" DROP NOT NULL,
    ALTER COLUMN "margin_usd" DROP NOT NULL,
    ALTER COLUMN "residual_value_usd" DROP NOT NULL,
    ALTER COLUMN "monthly_revenue_usd" DROP NOT NULL,
    ALTER COLUMN "monthly_cost_usd" DROP NOT NULL,
    ALTER COLUMN "monthly_profit_usd" DROP NOT NULL,
    ALTER COLUMN "npv_keep_12m_usd" DROP NOT NULL;
