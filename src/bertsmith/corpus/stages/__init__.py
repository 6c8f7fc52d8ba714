"""The stages of a corpus: independent tasks that read and write files in the work folder.

Each task is a function of the folder and its number. It writes its files atomically, and its completion marker last. A
finished task never runs again, so an interrupted run can resume with any number of processes or machines and produces
the same bytes. Each file here holds one stage: its task, the record in the marker, and the function that runs all
tasks.
"""
