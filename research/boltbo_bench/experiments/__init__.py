"""Named experiments on finished campaigns: what the paper claims, measured, and the tables and targets made of it.

`experiment` (what to run) → `runner` (campaign, then arms: `arms`, `proposers`, `transplant`) → `record` (the result file)
→ `measured` (reading it; `ratios`) → `targets`, `tables`, `figures`.
"""
