"""Release: what an operator installs, made from the source and the locks.

Never imported by the daemon. Needs pip, packaging and cyclonedx-py beside the standard library: `make` runs it in
the environment of requirements/cyclonedx-bom.txt.
"""
