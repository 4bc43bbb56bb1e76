"""The only door to Prefect: the pipeline flow over the graph of dvc.yaml, the task that runs one stage, deployments."""
