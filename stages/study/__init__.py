"""The report's claims in miniature (§3.3 to §3.5, and what it leaves out): the same run with one thing changed, over several seeds,
and a verdict on each claim by a stated test. Its graph is study/dvc.yaml."""
