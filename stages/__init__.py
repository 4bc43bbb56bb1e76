"""The recipe of the Kimi k1.5 report: a file here is a stage of dvc.yaml, a folder is a concept of the report."""
