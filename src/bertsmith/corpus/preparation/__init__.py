"""What `prepare` does between SOURCE and STORE: each stage with its messages, progress and time.

`verbs.prepare.STAGES` lists the stages in their order. The work itself is in `corpus.stages`, which other verbs use.
"""
