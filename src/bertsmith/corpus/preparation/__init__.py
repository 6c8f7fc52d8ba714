"""The stages of `prepare`, from SOURCE to STORE: each with its messages, progress and timing.

`verbs.prepare.STAGES` lists the stages in order. The work itself is in `corpus.stages`, which other verbs also use.
"""
