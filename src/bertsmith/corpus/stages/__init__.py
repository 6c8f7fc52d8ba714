"""The stages of a preparation: tasks that read their input below the work folder and leave files and a marker there.

Each task is a function of the folder and its number, writes its files whole or not at all, and its marker last.
A task that is done is never done again, so an interrupted preparation resumes, on any number of processes or machines,
and ends in the same bytes. A file per stage holds its task, the record in the marker, and the function that runs all
tasks of the stage.
"""
