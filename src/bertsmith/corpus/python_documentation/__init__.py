"""A corpus that needs no download: the documentation that Python and the installed packages carry with them.

`bertsmith quickstart` has to pre-train on real English within minutes, offline. Every machine that can run it
holds the docstrings of the standard library and of the packages that bertsmith depends on: 33 MB, of which
9 MB are prose. They are read by parsing the source files, never by importing them: an import is slow, has
side effects, and fails for optional dependencies. It takes about 50 s of one core, four fifths of it for parsing
170 MB of source; the work divides evenly among processes.

One module is one document, so that "the next sentence" means something. Which distributions are read is a
fixed list: the corpus changes with the versions of the base install, not with the tools installed next to it.
"""
