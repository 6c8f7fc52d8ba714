"""A corpus without a download: the documentation inside Python and its installed packages.

`bertsmith quickstart` pre-trains on real English within minutes, offline. Every machine that can run it has the
docstrings of the standard library and of the packages that bertsmith depends on: 33 MB, including 9 MB of prose. Source
files are parsed, never imported: imports are slow, have side effects, and fail for optional dependencies. This takes
about 50 s on one core, four fifths of it for parsing 170 MB of source; the work divides evenly among processes.

One module is one document, so that "the next sentence" is meaningful. The list of distributions is fixed: the corpus
depends on the versions of the base install, not on other installed tools.
"""
